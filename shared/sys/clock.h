/* SPDX-License-Identifier: MIT */
/* clock.h - the clocks. Everything that measures uses the monotonic one. */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, shared by all processes of one boot. */
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
/* CPU time of this process. A system call, unlike the others. */
int64_t clock_cpu_us(void);
/* CLOCK_BOOTTIME: as the monotonic one, but goes on while the machine sleeps.
 */
int64_t clock_boot_us(void);
/* CLOCK_REALTIME since 1970. */
int64_t clock_wall_us(void);

#endif
