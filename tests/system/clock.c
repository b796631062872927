// SPDX-License-Identifier: MIT
// clock SECONDS PPM: does the system's clock run like the ACPI PM timer? Fails if they go apart by
// more than PPM and 100 us.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <time.h>
#include <unistd.h>

#define PM_TIMER 0x608 // of QEMU's machines
#define PM_HZ    3579545

struct sample {
    uint32_t ticks;
    int64_t ns;
};

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

// Both at once: the try of many where least happened in between.
static struct sample sample(void)
{
    struct sample best = {0};
    int64_t least = INT64_MAX;

    for (int i = 0; i < 20; i++) {
        int64_t before = now();
        uint32_t ticks = inl(PM_TIMER);
        int64_t after = now();

        if (after < before) {
            printf("the clock went back by %lld ns\n", (long long)(before - after));
            exit(1);
        }
        if (after - before < least) {
            least = after - before;
            best = (struct sample){ticks, before + least / 2};
        }
    }
    return best;
}

// How much longer the time between two samples was for the clock, in ticks. The timer has 24 bits:
// it is taken to have wrapped so often that it fits best.
static int64_t difference(struct sample from, struct sample to)
{
    int64_t ticks = (int64_t)((__int128)(to.ns - from.ns) * PM_HZ / 1000000000);

    return (int32_t)((uint32_t)(ticks - (to.ticks - from.ticks)) << 8) >> 8;
}

int main(int argc, char **argv)
{
    int64_t seconds = argc > 1 ? atoll(argv[1]) : 10, ppm = argc > 2 ? atoll(argv[2]) : 100;
    struct sample first, next;
    int64_t drift;

    if (iopl(3)) {
        perror("iopl");
        return 1;
    }
    first = sample();
    do {
        usleep(seconds > 60 ? 60000000 : 1000000);
        next = sample();
        drift = difference(first, next) * 1000000 / PM_HZ;
    } while (next.ns - first.ns < seconds * 1000000000);
    seconds = (next.ns - first.ns) / 1000000000;
    printf("after %lld s: %+lld us\n", (long long)seconds, (long long)drift);
    return llabs(drift) > seconds * ppm + 100;
}
