/* The clock of log lines. Run by the keeper; no time zone, no locale, so no localtime(). */
#include "log.h"

#include <string.h>
#include <time.h>

static void put_digits(char *to, unsigned value, int count)
{
    while (count-- > 0) {
        to[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Days since 1970 -> year, month, day (proleptic Gregorian; Howard Hinnant's civil_from_days). */
static void put_date(char *to, int64_t days)
{
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted_month = (5 * day_of_year + 2) / 153;
    unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    unsigned year = year_of_era + (unsigned)era * 400 + (month <= 2);
    put_digits(to, year, 4);
    put_digits(to + 5, month, 2);
    put_digits(to + 8, day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
}

void stamp_now(char *stamp, const char *kind)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t seconds = now.tv_sec > 0 ? (int64_t)now.tv_sec : 0;
    unsigned of_day = (unsigned)(seconds % 86400);

    memcpy(stamp, "0000-00-00T00:00:00.000Z ", 25);
    memcpy(stamp + 25, kind, 3);
    stamp[28] = ' ';
    put_date(stamp, seconds / 86400);
    put_digits(stamp + 11, of_day / 3600, 2);
    put_digits(stamp + 14, of_day / 60 % 60, 2);
    put_digits(stamp + 17, of_day % 60, 2);
    put_digits(stamp + 20, (unsigned)(now.tv_nsec / 1000000), 3);
}
