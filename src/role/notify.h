/* SPDX-License-Identifier: Apache-2.0
 *
 * What a service manager wants to hear (the protocol of sd_notify(3)): nothing
 * is sent when nobody asked by NOTIFY_SOCKET.
 */
#pragma once

/* Remembers NOTIFY_SOCKET and takes it out of the environment, so that only this process speaks. */
void lk_notify_init(void);
/* "READY=1", "STOPPING=1", "WATCHDOG=1". What cannot be said is not said. */
void lk_notify(const char *state);
