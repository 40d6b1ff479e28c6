package metrics

import "time"

// A Period is a point that covers a period, and its start.
type Period struct {
	Start time.Time
	Point
}

// Read returns the points of a metric from start (rounded down to the minute) to
// before end, a point for each period that has samples, in order, by unit. unit ""
// means every unit. Periods of whole minutes that divide a day begin at
// multiples of their length since the epoch, others at start; a period that start
// or end cuts holds what is between them. Source: metrics sheet 5.
func (s *Store) Read(id ID, unit string, start, end time.Time, period time.Duration) map[string][]Period {
	s.Collect()
	from := floorDiv(start.Unix(), 60)
	to := -floorDiv(-end.Unix(), 60)
	step := int64(period / time.Minute)
	origin := from
	if 24*60%step == 0 {
		origin = 0
	}
	if oldest := s.oldest(); from < oldest {
		from = oldest
	}
	prefix := id.Key() + "\x01"
	out := map[string][]Period{}
	s.mu.Lock()
	found := map[string][]minute{}
	if unit != "" {
		if sr := s.series[prefix+unit]; sr != nil {
			found[unit] = sr.read(from, to)
		}
	} else {
		for _, u := range units {
			if sr := s.series[prefix+u]; sr != nil {
				found[u] = sr.read(from, to)
			}
		}
	}
	s.mu.Unlock()
	for u, points := range found {
		var list []Period
		for i := range points {
			at := origin + floorDiv(points[i].at-origin, step)*step
			begin := time.Unix(at*60, 0).UTC()
			if k := len(list) - 1; k < 0 || !list[k].Start.Equal(begin) {
				list = append(list, Period{Start: begin})
			}
			list[len(list)-1].merge(&points[i].Point)
		}
		if len(list) > 0 {
			out[u] = list
		}
	}
	return out
}

// Merge adds the samples of q to p.
func (p *Point) Merge(q *Point) { p.merge(q) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// units are CloudWatch's. Source: CloudWatch API reference, MetricDatum.
var units = []string{
	"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits",
	"Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second",
	"Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
}
