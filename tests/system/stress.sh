# SPDX-License-Identifier: MIT
# A load like a compiler's, with a known result; $sum is what it gives anywhere.
is "the load has its known result" equal "$(stress 4 $rounds 2>&1)" $sum
is "nothing of it is left" equal "$(ls /tmp; pidof stress)" ""
check_dmesg
finish
