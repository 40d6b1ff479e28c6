package monitoring

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

// Limits of PutMetricData. Source: CloudWatch API reference, PutMetricData and MetricDatum.
const (
	maxData      = 1000                // metrics in a request
	maxValues    = 150                 // of a metric
	putPast      = 14 * 24 * time.Hour // how old a data point may be
	putFuture    = 2 * time.Hour
	biggestValue = 0x1p360
)

// PutMetricData adds data points to metrics; it returns when they are on disk.
func (h Handlers) PutMetricData(_ context.Context, in *PutMetricDataInput) (*PutMetricDataResponse, error) {
	switch {
	case strings.HasPrefix(in.Namespace, "AWS/"):
		return nil, InvalidParameterValueException("The value %s for parameter Namespace is invalid: namespaces that begin with AWS/ are Gatehouse's own.", quoted(in.Namespace))
	case hasControl(in.Namespace):
		return nil, InvalidParameterValueException("The value of the parameter Namespace has control characters.")
	case len(in.EntityMetricData) > 0 || in.StrictEntityValidation != nil && *in.StrictEntityValidation:
		return nil, InvalidParameterValueException("EntityMetricData is not supported: put the data as MetricData.")
	case len(in.MetricData) == 0:
		return nil, MissingRequiredParameterException("The parameter MetricData is required.")
	case len(in.MetricData) > maxData:
		return nil, InvalidParameterValueException("The collection MetricData must not have a size greater than %d.", maxData)
	}
	data := make([]metrics.Datum, 0, len(in.MetricData))
	for i := range in.MetricData {
		at := "MetricData.member." + strconv.Itoa(i+1) + "."
		d, err := h.datum(at, &in.MetricData[i])
		if err != nil {
			return nil, err
		}
		d.ID.Namespace = in.Namespace
		data = append(data, d)
	}
	return nil, h.Store.Put(data)
}

// datum checks one metric of a request, which is at a place.
func (h Handlers) datum(at string, in *MetricDatum) (d metrics.Datum, err error) {
	if d.ID.Dimensions, err = dimensions(in.Dimensions); err != nil {
		return d, err
	}
	texts := []string{in.MetricName}
	for _, dim := range in.Dimensions {
		texts = append(texts, dim.Name, dim.Value)
	}
	if slices.ContainsFunc(texts, hasControl) {
		return d, InvalidParameterValueException("The value of the parameter %sMetricName or Dimensions has control characters.", at)
	}
	d.ID.Name, d.Unit, d.Time = in.MetricName, "None", h.Now()
	if in.Unit != nil {
		d.Unit = string(*in.Unit)
	}
	if in.StorageResolution != nil && *in.StorageResolution != 60 {
		return d, InvalidParameterValueException("The value %d for parameter %sStorageResolution is not supported: metrics are kept at a resolution of 60 seconds.", *in.StorageResolution, at)
	}
	if in.Timestamp != nil {
		d.Time = in.Timestamp.Time
		if age := h.Now().Sub(d.Time); age > putPast || age < -putFuture {
			return d, InvalidParameterValueException("The parameter %sTimestamp must specify a time within the past two weeks and no more than two hours in the future.", at)
		}
	}
	ways := 0
	for _, there := range []bool{in.Value != nil, in.StatisticValues != nil, len(in.Values) > 0} {
		if there {
			ways++
		}
	}
	switch {
	case ways == 0:
		return d, MissingRequiredParameterException("One of the parameters %[1]sValue, %[1]sValues and %[1]sStatisticValues is required.", at)
	case ways > 1:
		return d, InvalidParameterCombinationException("The parameters %[1]sValue, %[1]sValues and %[1]sStatisticValues are mutually exclusive and you have specified more than one.", at)
	case len(in.Counts) > 0 && len(in.Counts) != len(in.Values):
		return d, InvalidParameterValueException("The parameters %[1]sValues and %[1]sCounts must be of the same size.", at)
	case len(in.Values) > maxValues:
		return d, InvalidParameterValueException("The collection %sValues must not have a size greater than %d.", at, maxValues)
	case in.Value != nil:
		d.Point = metrics.Sample(*in.Value, 1)
		return d, number(at+"Value", *in.Value)
	case in.StatisticValues != nil:
		return d, statisticSet(at+"StatisticValues.", in.StatisticValues, &d.Point)
	}
	for i, v := range in.Values {
		n := 1.0
		if len(in.Counts) > 0 {
			n = in.Counts[i]
		}
		if err := number(at+"Values", v); err != nil {
			return d, err
		}
		if err := number(at+"Counts", n); err != nil {
			return d, err
		}
		if n <= 0 {
			return d, InvalidParameterValueException("The values of the parameter %sCounts must be greater than 0.", at)
		}
		p := metrics.Sample(v, n)
		d.Point.Merge(&p)
	}
	return d, nil
}

// statisticSet checks statistics and sets p.
func statisticSet(at string, in *StatisticSet, p *metrics.Point) error {
	for name, v := range map[string]float64{"SampleCount": in.SampleCount, "Sum": in.Sum, "Minimum": in.Minimum, "Maximum": in.Maximum} {
		if err := number(at+name, v); err != nil {
			return err
		}
	}
	if in.SampleCount <= 0 {
		return InvalidParameterValueException("The parameter %sSampleCount must be greater than 0.", at)
	}
	if in.Minimum > in.Maximum {
		return InvalidParameterValueException("The parameter %[1]sMaximum must be greater than or equal to the parameter %[1]sMinimum.", at)
	}
	*p = metrics.Statistics(in.SampleCount, in.Sum, in.Minimum, in.Maximum)
	return nil
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// number refuses what CloudWatch has no room for.
func number(at string, v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > biggestValue {
		return InvalidParameterValueException("The value of the parameter %s must be a number between -2^360 and 2^360.", at)
	}
	return nil
}
