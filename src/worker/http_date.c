/* http_date - see http_date.h. */
#include "http_date.h"

#include <stdint.h>
#include <string.h>

/*
 * The civil date of a day, with years that begin in March, so that the leap day
 * is the last of its year.  gmtime_r() would take the time zone's lock.
 */
static void
civil_from_days(int64_t days, int *year, int *month, int *day)
{
	/* Days from 1 March of the year 0 to 1 January 1970. */
	int64_t from_zero = days + 719468;
	int64_t era = from_zero / 146097; /* of 400 years each */
	int in_era = (int)(from_zero % 146097);
	int in_year, year_of_era, from_march;

	year_of_era =
	    (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	in_year =
	    in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	from_march = (5 * in_year + 2) / 153;

	*day = in_year - (153 * from_march + 2) / 5 + 1;
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*year = (int)(era * 400) + year_of_era + (*month <= 2);
}

static char *
put_digits(char *p, int value, int width)
{
	int i;

	for (i = width - 1; i >= 0; i--) {
		p[i] = (char)('0' + value % 10);
		value /= 10;
	}
	return (p + width);
}

static char *
put_name(char *p, const char *names, int64_t index, const char *after)
{
	memcpy(p, names + 3 * index, 3);
	return (stpcpy(p + 3, after));
}

void
http_date(time_t t, char buf[HTTP_DATE_SIZE])
{
	static const char day_names[] = "ThuFriSatSunMonTueWed"; /* from 1970 */
	static const char month_names[] =
	    "JanFebMarAprMayJunJulAugSepOctNovDec";
	const int64_t last = 253402300799; /* of the year 9999 */
	int64_t seconds = t < 0 ? 0 : t > last ? last : t;
	int64_t days = seconds / 86400;
	int in_day = (int)(seconds % 86400);
	int year, month, day;
	char *p = buf;

	civil_from_days(days, &year, &month, &day);
	p = put_name(p, day_names, days % 7, ", ");
	p = put_digits(p, day, 2);
	*p++ = ' ';
	p = put_name(p, month_names, month - 1, " ");
	p = put_digits(p, year, 4);
	*p++ = ' ';
	p = put_digits(p, in_day / 3600, 2);
	*p++ = ':';
	p = put_digits(p, in_day / 60 % 60, 2);
	*p++ = ':';
	p = put_digits(p, in_day % 60, 2);
	stpcpy(p, " GMT");
}

const char *
http_date_of_thread(time_t t)
{
	static _Thread_local time_t last;
	static _Thread_local char text[HTTP_DATE_SIZE]; /* "" at first */

	if (t != last || *text == '\0') {
		http_date(t, text);
		last = t;
	}
	return (text);
}
