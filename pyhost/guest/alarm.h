/// TimeoutError from outside; the export krait_alarm is alarm.c's.
#pragma once

/// Installs the handler, once Python is initialised. 0, or -1 with an exception set.
int krait_alarm_init(void);
