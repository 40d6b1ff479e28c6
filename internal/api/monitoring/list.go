package monitoring

import (
	"context"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

const (
	listPage    = 500                 // metrics
	listedFor   = 14 * 24 * time.Hour // after the last data point
	recentlyFor = 3 * time.Hour       // RecentlyActive PT3H
)

// ListMetrics lists the metrics that had a data point in the last two weeks, in
// the order of namespace, name and dimensions. Source: metrics sheet 4.
func (h Handlers) ListMetrics(ctx context.Context, in *ListMetricsInput) (*ListMetricsOutput, error) {
	if in.OwningAccount != nil || in.IncludeLinkedAccounts != nil && *in.IncludeLinkedAccounts {
		return nil, InvalidParameterValueException("Linked accounts are not supported: this Gatehouse has one account.")
	}
	var filters []any
	for _, d := range in.Dimensions {
		filters = append(filters, d.Name, d.Value)
	}
	page, err := api.ReadPage(ctx, in.NextToken, nil, listPage, append(filters, in.Namespace, in.MetricName, in.RecentlyActive)...)
	if err != nil {
		return nil, InvalidParameterValueException("The value of the parameter NextToken is not valid: use the token of the page before, with the same parameters.")
	}
	since := h.Now().Add(-listedFor)
	if in.RecentlyActive != nil {
		since = h.Now().Add(-recentlyFor)
	}
	out := &ListMetricsOutput{Metrics: []Metric{}}
	last, begun := "", page.After == ""
	for _, m := range h.Store.List(func(id metrics.ID) bool { return matches(in, id) }) {
		key := m.ID.Key() // in the same order, as no name has control characters
		if !begun {
			begun = key > page.After
		}
		if !begun || m.Last.Before(since) {
			continue
		}
		if len(out.Metrics) == listPage {
			out.NextToken = page.Next(true, last)
			break
		}
		out.Metrics = append(out.Metrics, metric(m.ID))
		last = key
	}
	return out, nil
}

// matches says whether a metric has all that the request asks for; it may have
// more dimensions.
func matches(in *ListMetricsInput, id metrics.ID) bool {
	if in.Namespace != nil && *in.Namespace != id.Namespace || in.MetricName != nil && *in.MetricName != id.Name {
		return false
	}
	for _, want := range in.Dimensions {
		found := false
		for _, d := range id.Dimensions {
			found = found || d.Name == want.Name && (want.Value == nil || *want.Value == d.Value)
		}
		if !found {
			return false
		}
	}
	return true
}

func metric(id metrics.ID) Metric {
	m := Metric{Namespace: &id.Namespace, MetricName: &id.Name, Dimensions: []Dimension{}}
	for _, d := range id.Dimensions {
		m.Dimensions = append(m.Dimensions, Dimension{Name: d.Name, Value: d.Value})
	}
	return m
}
