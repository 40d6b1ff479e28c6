package monitoring

import (
	"math"
	"strconv"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

// A stat reads one statistic of a period; false if the samples do not tell.
type stat func(*metrics.Point) (float64, bool)

// plainStats are the statistics without an argument.
var plainStats = map[string]stat{
	"SampleCount": func(p *metrics.Point) (float64, bool) { return p.Count, true },
	"Average":     func(p *metrics.Point) (float64, bool) { return p.Average(), !math.IsNaN(p.Average()) },
	"Sum":         func(p *metrics.Point) (float64, bool) { return p.Sum, true },
	"Minimum":     func(p *metrics.Point) (float64, bool) { return p.Min, true },
	"Maximum":     func(p *metrics.Point) (float64, bool) { return p.Max, true },
}

// percentile reads pNN.NN, p0 to p100.
func percentile(name string) (stat, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return nil, false
	}
	percent, err := strconv.ParseFloat(digits, 64)
	if err != nil || percent > 100 {
		return nil, false
	}
	return func(p *metrics.Point) (float64, bool) { return p.Percentile(percent) }, true
}

// statistic returns the statistic of a name; member is where the request names it.
// Source: metrics sheet 5.
func statistic(member, name string) (stat, error) {
	if s := plainStats[name]; s != nil {
		return s, nil
	}
	if s, ok := percentile(name); ok {
		return s, nil
	}
	return nil, InvalidParameterValueException("The value %s for parameter %s is not supported: Gatehouse has SampleCount, Average, Sum, Minimum, Maximum and percentiles, p0 to p100.", quoted(name), member)
}

// quoted is a client's text in a message, kept short.
func quoted(s string) string { return strconv.Quote(s[:min(len(s), 100)]) }
