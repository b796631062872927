/* SPDX-License-Identifier: MIT */
/* Names of schedulers. */
#include "scheduler.h"

#include <xen/domctl.h>

const char *scheduler_name(uint32_t id)
{
    static const char *const names[] = {
        [XEN_SCHEDULER_CREDIT] = "credit",     [XEN_SCHEDULER_CREDIT2] = "credit2",
        [XEN_SCHEDULER_ARINC653] = "arinc653", [XEN_SCHEDULER_RTDS] = "rtds",
        [XEN_SCHEDULER_NULL] = "null",
    };

    return id < sizeof(names) / sizeof(names[0]) && names[id] ? names[id] : "unknown";
}
