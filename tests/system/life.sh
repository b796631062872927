# SPDX-License-Identifier: MIT
# Comes up, and ends in the way that $action says.
crash() {
    echo c >/proc/sysrq-trigger
}
is "it is up" true
finish "$action"
