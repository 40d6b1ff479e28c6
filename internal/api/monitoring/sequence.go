package monitoring

import "slices"

// A sequence is a metric over time: a value for each period that has one.
type sequence struct {
	period int64     // seconds
	at     []int64   // starts of periods in seconds since the epoch, ascending
	values []float64 // as many
}

// reversed returns the newest first.
func (s sequence) reversed() sequence {
	s.at, s.values = slices.Clone(s.at), slices.Clone(s.values)
	slices.Reverse(s.at)
	slices.Reverse(s.values)
	return s
}

// each returns f of each value.
func (s sequence) each(f func(float64) float64) sequence {
	out := sequence{period: s.period, at: s.at, values: make([]float64, len(s.values))}
	for i, v := range s.values {
		out.values[i] = f(v)
	}
	return out
}

// both returns f of the values of periods that all sequences have.
func both(list []sequence, f func([]float64) float64) sequence {
	out := sequence{period: list[0].period}
	next := make([]int, len(list))
	row := make([]float64, len(list))
periods:
	for i, at := range list[0].at {
		row[0] = list[0].values[i]
		for k := 1; k < len(list); k++ {
			for next[k] < len(list[k].at) && list[k].at[next[k]] < at {
				next[k]++
			}
			if next[k] == len(list[k].at) {
				break periods
			}
			if list[k].at[next[k]] != at {
				continue periods
			}
			row[k] = list[k].values[next[k]]
		}
		out.at, out.values = append(out.at, at), append(out.values, f(row))
	}
	return out
}
