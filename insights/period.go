package insights

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// unit is a unit of periods. Source: logs sheet 6.2.
type unit uint8

const (
	millisecond unit = iota
	second
	minute
	hour
	day
	week
	month
	quarter
	year
)

var units = func() map[string]unit {
	m := map[string]unit{}
	for u, names := range [][]string{
		{"ms", "msec", "millisecond"},
		{"s", "sec", "second"},
		{"m", "min", "minute"},
		{"h", "hr", "hour"},
		{"d", "day"},
		{"w", "week"},
		{"mo", "mon", "month"},
		{"q", "qtr", "quarter"},
		{"y", "yr", "year"},
	} {
		for _, n := range names {
			m[n] = unit(u)
			if len(n) > 1 {
				m[n+"s"] = unit(u)
			}
		}
	}
	return m
}()

// A period is a number of units.
type period struct {
	n    int64
	unit unit
}

// parsePeriod reads a period that the lexer took for one, with AWS's caps.
func parsePeriod(text string) (period, bool) {
	i := digitRun(text)
	n, err := strconv.ParseInt(text[:i], 10, 32)
	u, ok := units[strings.ToLower(text[i:])]
	if err != nil || !ok || n == 0 {
		return period{}, false
	}
	switch u {
	case millisecond:
		n = min(n, 1000)
	case second, minute:
		n = min(n, 60)
	case hour:
		n = min(n, 24)
	default:
	}
	return period{n, u}, true
}

var unitMillis = [...]float64{1, 1000, 60_000, 3_600_000, 86_400_000, 7 * 86_400_000}

// mondayMillis is 1969-12-29, the Monday before the epoch.
const mondayMillis = -3 * 86_400_000

// floor is the start of the period that holds ms; ceil is the start of the next.
func (p period) floor(ms float64) float64 {
	switch {
	case p.unit < week:
		size := unitMillis[p.unit] * float64(p.n)
		return math.Floor(ms/size) * size
	case p.unit == week:
		size := unitMillis[week] * float64(p.n)
		return math.Floor((ms-mondayMillis)/size)*size + mondayMillis
	}
	t := time.UnixMilli(int64(ms)).UTC()
	months := (t.Year()-1970)*12 + int(t.Month()) - 1
	n := p.months()
	return monthStart(floorDiv(months, n) * n)
}

func (p period) next(start float64) float64 {
	switch {
	case p.unit <= week:
		return start + unitMillis[p.unit]*float64(p.n)
	default:
		t := time.UnixMilli(int64(start)).UTC()
		return monthStart((t.Year()-1970)*12 + int(t.Month()) - 1 + p.months())
	}
}

func (p period) ceil(ms float64) float64 {
	if f := p.floor(ms); f != ms {
		return p.next(f)
	}
	return ms
}

// months is the length of a period of months or longer.
func (p period) months() int {
	return int(min(p.n, 12_000)) * map[unit]int{month: 1, quarter: 3, year: 12}[p.unit]
}

// millis is the length of the period; of those with calendar units, on average.
func (p period) millis() float64 {
	if p.unit <= week {
		return unitMillis[p.unit] * float64(p.n)
	}
	return float64(p.months()) * 86_400_000 * 365.2425 / 12
}

func monthStart(months int) float64 {
	return float64(time.Date(1970+floorDiv(months, 12), time.Month(1+months-12*floorDiv(months, 12)), 1, 0, 0, 0, 0, time.UTC).UnixMilli())
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
