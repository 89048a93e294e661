/* SPDX-License-Identifier: Apache-2.0
 *
 * What a service manager wants to hear (the protocol of sd_notify(3)): nothing
 * is sent when nobody asked by NOTIFY_SOCKET.
 */
#pragma once

/* Remembers NOTIFY_SOCKET and takes it out of the environment, so that only this process speaks. */
void lk_notify_init(void);
/* "STOPPING=1", "WATCHDOG=1": lost on a manager that is too busy. */
void lk_notify(const char *state);
/* "READY=1": a service waits for it to begin, so a busy manager is waited for, five seconds at
 * most. */
void lk_notify_ready(void);
