package monitoring

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/metrics"
)

// Limits of GetMetricData. Source: metrics sheet 4; the last two are ours.
const (
	maxQueries    = 500
	maxDatapoints = 100_800 // in an answer
	maxPeriods    = 100_800 // of a query
	maxEvaluated  = 4 << 20 // points of all queries of a request, and of what their expressions come to on the way
)

var (
	queryID  = regexp.MustCompile(`^[a-z][A-Za-z0-9_]*$`)
	timezone = regexp.MustCompile(`^[+-][0-9]{4}$`)
)

// GetMetricData reads many metrics, and computes with them. Source: metrics sheet 4.
func (h Handlers) GetMetricData(ctx context.Context, in *GetMetricDataInput) (*GetMetricDataOutput, error) {
	e, err := h.evaluation(in)
	if err != nil {
		return nil, err
	}
	limit := maxDatapoints
	if in.MaxDatapoints != nil {
		if *in.MaxDatapoints < 1 || *in.MaxDatapoints > maxDatapoints {
			return nil, InvalidParameterValueException("The value of the parameter MaxDatapoints must be between 1 and %d.", maxDatapoints)
		}
		limit = int(*in.MaxDatapoints)
	}
	asked, err := json.Marshal(in.MetricDataQueries)
	if err != nil {
		return nil, err
	}
	page, err := api.ReadPage(ctx, in.NextToken, nil, limit, string(asked), in.StartTime.UnixMilli(), in.EndTime.UnixMilli(), in.ScanBy)
	if err != nil {
		return nil, InvalidNextToken("The value of the parameter NextToken is not valid: use the token of the page before, with the same parameters.")
	}
	first, skip := cursor(page.After)
	out := &GetMetricDataOutput{MetricDataResults: []MetricDataResult{}, Messages: []MessageData{}}
	for i := first; i < len(in.MetricDataQueries); i++ {
		q := &in.MetricDataQueries[i]
		if q.ReturnData != nil && !*q.ReturnData {
			continue
		}
		s, err := e.query(q.Id)
		if err != nil {
			return nil, err
		}
		if in.ScanBy == nil || *in.ScanBy == ScanByTimestampDescending {
			s = s.reversed()
		}
		from := min(skip, len(s.at))
		skip = 0
		n := min(limit, len(s.at)-from)
		limit -= n
		result := result(q, s, from, from+n)
		if from+n < len(s.at) {
			partial := StatusCodePartialData
			result.StatusCode = &partial
			out.MetricDataResults = append(out.MetricDataResults, result)
			out.NextToken = page.Next(true, strconv.Itoa(i)+" "+strconv.Itoa(from+n))
			break
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
	}
	return out, nil
}

// cursor reads where a page begins: at which query, and at which of its points.
func cursor(after string) (query, skip int) {
	a, b, _ := strings.Cut(after, " ")
	query, _ = strconv.Atoi(a) // ours: it is sealed
	skip, _ = strconv.Atoi(b)
	return query, skip
}

func result(q *MetricDataQuery, s sequence, from, to int) MetricDataResult {
	complete := StatusCodeComplete
	r := MetricDataResult{Id: &q.Id, StatusCode: &complete, Label: q.Label, Timestamps: make([]api.Time, 0, to-from), Values: s.values[from:to]}
	switch {
	case r.Label != nil:
	case q.MetricStat != nil:
		r.Label = q.MetricStat.Metric.MetricName
	default:
		r.Label = &q.Id
	}
	for _, at := range s.at[from:to] {
		r.Timestamps = append(r.Timestamps, api.Time{Time: time.Unix(at, 0).UTC()})
	}
	return r
}

// evaluation computes the queries of a request, each once.
type evaluation struct {
	h          Handlers
	start, end time.Time
	byID       map[string]*MetricDataQuery
	order      []string
	parsed     map[string]*expression
	done       map[string]sequence
	under      map[string]bool // ids that are being computed: one that needs itself is a cycle
	points     int
}

// evaluation checks a request.
func (h Handlers) evaluation(in *GetMetricDataInput) (*evaluation, error) {
	switch {
	case len(in.MetricDataQueries) == 0:
		return nil, MissingRequiredParameterException("The parameter MetricDataQueries is required.")
	case len(in.MetricDataQueries) > maxQueries:
		return nil, InvalidParameterValueException("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	case !in.StartTime.Before(in.EndTime.Time):
		return nil, InvalidParameterValueException("The parameter StartTime must be less than the parameter EndTime.")
	case in.LabelOptions != nil && in.LabelOptions.Timezone != nil && !timezone.MatchString(*in.LabelOptions.Timezone):
		return nil, InvalidParameterValueException("The value of the parameter LabelOptions.Timezone must have the form +HHMM or -HHMM.")
	}
	e := &evaluation{
		h: h, start: in.StartTime.Truncate(time.Minute), end: in.EndTime.Time, byID: map[string]*MetricDataQuery{},
		parsed: map[string]*expression{}, done: map[string]sequence{}, under: map[string]bool{},
	}
	returned := false
	for i := range in.MetricDataQueries {
		q := &in.MetricDataQueries[i]
		if err := e.add(q); err != nil {
			return nil, err
		}
		returned = returned || q.ReturnData == nil || *q.ReturnData
	}
	if !returned {
		return nil, InvalidParameterCombinationException("At least one of the queries must return data: all have ReturnData false.")
	}
	return e, nil
}

// add checks one query.
func (e *evaluation) add(q *MetricDataQuery) error {
	switch {
	case !queryID.MatchString(q.Id):
		return InvalidParameterValueException("The value %s for parameter Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", quoted(q.Id))
	case e.byID[q.Id] != nil:
		return InvalidParameterValueException("The values for parameter Id in the queries must be unique: %s is there twice.", quoted(q.Id))
	case (q.MetricStat == nil) == (q.Expression == nil):
		return InvalidParameterCombinationException("The query %s must have exactly one of MetricStat and Expression.", quoted(q.Id))
	case q.AccountId != nil:
		return InvalidParameterValueException("The parameter AccountId is not supported: this Gatehouse has one account.")
	case q.Label != nil && strings.Contains(*q.Label, "${"):
		return InvalidParameterValueException("The label of %s is dynamic, which Gatehouse does not support: write a plain one.", quoted(q.Id))
	}
	e.byID[q.Id] = q
	e.order = append(e.order, q.Id)
	if q.Expression != nil {
		if q.Period != nil {
			if _, err := period(*q.Period); err != nil {
				return err
			}
		}
		x, err := parseExpression(q.Id, *q.Expression)
		e.parsed[q.Id] = x
		return err
	}
	m := q.MetricStat
	switch {
	case m.Metric == nil || m.Metric.Namespace == nil || m.Metric.MetricName == nil:
		return MissingRequiredParameterException("The query %s must name the Namespace and the MetricName of its metric.", quoted(q.Id))
	case q.Period != nil:
		return InvalidParameterCombinationException("The query %s has a MetricStat: its Period belongs in there.", quoted(q.Id))
	}
	step, err := period(m.Period)
	if err != nil {
		return err
	}
	if e.end.Sub(e.start)/step > maxPeriods {
		return InvalidParameterCombinationException("The query %s asks for more than %s periods. You may reduce them by increasing Period, or decreasing the time range.", quoted(q.Id), thousands(maxPeriods))
	}
	_, err = statistic("Stat", m.Stat)
	return err
}

// query returns what a query comes to.
func (e *evaluation) query(id string) (sequence, error) {
	if s, ok := e.done[id]; ok {
		return s, nil
	}
	if e.under[id] {
		return sequence{}, InvalidParameterValueException("The expression of %s needs its own result.", quoted(id))
	}
	e.under[id] = true
	q := e.byID[id]
	var s sequence
	var err error
	if q.Expression != nil {
		s, err = e.compute(q)
	} else {
		s, err = e.metric(q.MetricStat)
	}
	if err != nil {
		return sequence{}, err
	}
	if e.points += len(s.at); e.points > maxEvaluated {
		return sequence{}, errTooMuch()
	}
	e.done[id] = s
	return s, nil
}

func errTooMuch() error {
	return InvalidParameterCombinationException("The queries come to more than %s data points. You may reduce them by increasing Period, or decreasing the time range.", thousands(maxEvaluated))
}

// metric reads a statistic of a metric. Samples in several units are taken together.
func (e *evaluation) metric(m *MetricStat) (sequence, error) {
	dims, err := dimensions(m.Metric.Dimensions)
	if err != nil {
		return sequence{}, err
	}
	read, err := statistic("Stat", m.Stat)
	if err != nil {
		return sequence{}, err
	}
	step := time.Duration(m.Period) * time.Second
	id := metrics.ID{Namespace: *m.Metric.Namespace, Name: *m.Metric.MetricName, Dimensions: dims}
	merged := map[int64]metrics.Period{}
	var starts []int64
	for _, list := range e.h.Store.Read(id, unitOf(m.Unit), e.start, e.end, step) {
		for _, p := range list {
			at := p.Start.Unix()
			have, ok := merged[at]
			if !ok {
				starts = append(starts, at)
			}
			have.Merge(&p.Point)
			merged[at] = have
		}
	}
	slices.Sort(starts)
	s := sequence{period: int64(m.Period)}
	for _, at := range starts {
		p := merged[at]
		if v, ok := read(&p.Point); ok {
			s.at, s.values = append(s.at, at), append(s.values, v)
		}
	}
	return s, nil
}
