package monitoring

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

const maxStatisticsPoints = 1440

// GetMetricStatistics reads statistics of one metric. Source: metrics sheet 4.
func (h Handlers) GetMetricStatistics(_ context.Context, in *GetMetricStatisticsInput) (*GetMetricStatisticsOutput, error) {
	step, err := period(in.Period)
	if err != nil {
		return nil, err
	}
	switch {
	case len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0:
		return nil, MissingRequiredParameterException("Must specify either Statistics or ExtendedStatistics.")
	case len(in.Statistics) > 0 && len(in.ExtendedStatistics) > 0:
		return nil, InvalidParameterCombinationException("Statistics and ExtendedStatistics can't both be specified.")
	case !in.StartTime.Before(in.EndTime.Time):
		return nil, InvalidParameterValueException("The parameter StartTime must be less than the parameter EndTime.")
	}
	if n := int64((in.EndTime.Sub(in.StartTime.Truncate(time.Minute)) + step - 1) / step); n > maxStatisticsPoints {
		return nil, InvalidParameterCombinationException("You have requested up to %s datapoints, which exceeds the limit of %s. "+
			"You may reduce the datapoints requested by increasing Period, or decreasing the time range.", thousands(n), thousands(maxStatisticsPoints))
	}
	extended := map[string]stat{}
	for _, name := range in.ExtendedStatistics {
		s, err := statistic("ExtendedStatistics", name)
		if err != nil {
			return nil, err
		}
		extended[name] = s
	}
	dims, err := dimensions(in.Dimensions)
	if err != nil {
		return nil, err
	}
	id := metrics.ID{Namespace: in.Namespace, Name: in.MetricName, Dimensions: dims}
	out := &GetMetricStatisticsOutput{Label: &in.MetricName, Datapoints: []Datapoint{}}
	byUnit := h.Store.Read(id, unitOf(in.Unit), in.StartTime.Time, in.EndTime.Time, step)
	for _, unit := range slices.Sorted(maps.Keys(byUnit)) {
		for i := range byUnit[unit] {
			if d, ok := datapoint(&byUnit[unit][i], in.Statistics, extended); ok {
				u := StandardUnit(unit)
				d.Unit = &u
				out.Datapoints = append(out.Datapoints, d)
			}
		}
	}
	slices.SortStableFunc(out.Datapoints, func(a, b Datapoint) int { return cmp.Compare(a.Timestamp.Unix(), b.Timestamp.Unix()) })
	return out, nil
}

func unitOf(u *StandardUnit) string {
	if u == nil {
		return ""
	}
	return string(*u)
}

// datapoint reads the statistics asked for; false if the samples tell none of them.
func datapoint(p *metrics.Period, plain []Statistic, extended map[string]stat) (d Datapoint, ok bool) {
	d.Timestamp = api.TimeOf(p.Start)
	for _, name := range plain {
		v, known := plainStats[string(name)](&p.Point)
		if !known {
			continue
		}
		ok = true
		switch name {
		case StatisticSampleCount:
			d.SampleCount = &v
		case StatisticAverage:
			d.Average = &v
		case StatisticSum:
			d.Sum = &v
		case StatisticMinimum:
			d.Minimum = &v
		case StatisticMaximum:
			d.Maximum = &v
		}
	}
	for name, read := range extended {
		if v, known := read(&p.Point); known {
			if d.ExtendedStatistics == nil {
				d.ExtendedStatistics = map[string]float64{}
			}
			d.ExtendedStatistics[name], ok = v, true
		}
	}
	return d, ok
}

// thousands writes a number with commas between its groups of digits.
func thousands(n int64) string {
	s := ""
	for ; n >= 1000; n /= 1000 {
		s = "," + string([]byte{byte('0' + n%1000/100), byte('0' + n%100/10), byte('0' + n%10)}) + s
	}
	return strconv.FormatInt(n, 10) + s
}
