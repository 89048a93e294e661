#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tpm_device.py DEVICE STATE: a software TPM behind a character device, as the kernel's TPMs are.

swtpm reads commands from one end of a terminal in raw mode; DEVICE names the other end."""

import os
import sys
import tty

here, there = os.openpty()
tty.setraw(there)
os.symlink(os.ttyname(there), sys.argv[1])
os.set_inheritable(here, True)
os.set_inheritable(there, True)  # the last one that closes it would end the TPM
os.execvp("swtpm", ["swtpm", "chardev", "--tpm2", "--fd", str(here), "--tpmstate",
                    "dir=" + sys.argv[2], "--flags", "not-need-init,startup-clear"])
