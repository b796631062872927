/* SPDX-License-Identifier: MIT */
/* A guest that lives until it is told how to end: by `end=crash` and the like on its command line, at
 * once, or by its node data/end. Meanwhile each of its vcpus counts, and it counts in data/beat and
 * reads that back; what it did not like it counts in data/faults. (tests/system/endings.sh) */
#include <pv/cpu.h>
#include <pv/evtchn.h>
#include <pv/guest.h>
#include <pv/print.h>
#include <pv/smp.h>
#include <pv/store.h>
#include <pv/string.h>
#include <pv/time.h>
#include <xen/sched.h>

enum { MOST_VCPUS = 32 };

static volatile unsigned beats[MOST_VCPUS];

static void live(void *arg)
{
    (void)arg;
    events_enable();
    for (;;) {
        beats[vcpu_id()]++;
        time_sleep(50 * NS_PER_MS);
    }
}

static void end_as(const char *how)
{
    static const struct {
        const char *name;
        unsigned reason;
    } ends[] = {{"poweroff", SHUTDOWN_poweroff},
                {"reboot", SHUTDOWN_reboot},
                {"crash", SHUTDOWN_crash},
                {"suspend", SHUTDOWN_suspend},
                {"watchdog", SHUTDOWN_watchdog}};

    for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (strcmp(how, ends[i].name) == 0) {
            printk("mortal: %s\n", how);
            guest_shutdown(ends[i].reason);
        }
    }
}

static unsigned others_alive(unsigned nr)
{
    unsigned alive = 0;

    for (unsigned i = 1; i < nr; i++)
        alive += beats[i] != 0;
    return alive;
}

void guest_main(void)
{
    unsigned nr = vcpu_count(), faults = 0;
    char text[32];

    if (cmdline_get("end", text, sizeof(text)))
        end_as(text);
    events_enable();
    for (unsigned i = 1; i < nr && i < MOST_VCPUS; i++)
        vcpu_start(i, live, NULL);
    if (!store_init())
        guest_shutdown(SHUTDOWN_crash);
    printk("mortal: lives, %u vcpus\n", nr);
    for (unsigned beat = 1;; beat++) {
        snprintf(text, sizeof(text), "%u", beat);
        faults += !store_write("data/beat", text) || strcmp(store_read("data/beat"), text);
        snprintf(text, sizeof(text), "%u", others_alive(nr) + 1);
        faults += !store_write("data/vcpus", text);
        snprintf(text, sizeof(text), "%u", faults + store_faults);
        store_write("data/faults", text);
        end_as(store_read("data/end"));
        time_sleep(100 * NS_PER_MS);
    }
}
