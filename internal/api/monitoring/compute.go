package monitoring

import (
	"fmt"
	"math"
	"strings"

	"github.com/gatehouse-iot/gatehouse/internal/api"
)

// A value is what a part of an expression comes to: a number, or sequences, one of
// them unless it is a list.
type value struct {
	number    float64
	sequences []sequence
	isNumber  bool
	isList    bool
}

func scalar(f float64) value { return value{number: f, isNumber: true} }

func single(s sequence) value { return value{sequences: []sequence{s}} }

// functions of metric math, with how many arguments they take. Source: metrics sheet 4.
var functions = map[string]struct {
	least, most int
}{
	"METRICS": {0, 1}, "SUM": {1, 1}, "AVG": {1, 1}, "MIN": {1, 1}, "MAX": {1, 1}, "FILL": {2, 2}, "IF": {2, 3},
	"RATE": {1, 1}, "ABS": {1, 1}, "CEIL": {1, 1}, "FLOOR": {1, 1},
}

const functionNames = "METRICS, SUM, AVG, MIN, MAX, FILL, IF, RATE, ABS, CEIL and FLOOR"

// compute computes the expression of a query.
func (e *evaluation) compute(q *MetricDataQuery) (sequence, error) {
	v, err := e.value(q.Id, e.parsed[q.Id])
	if err != nil {
		return sequence{}, err
	}
	if v.isNumber || v.isList {
		return sequence{}, mathError(q.Id, "it must come to one time series, not to a number or a list")
	}
	return v.sequences[0], nil
}

func mathError(id, format string, args ...any) *api.Error {
	return InvalidParameterValueException("Error in expression '%s': %s", id, fmt.Sprintf(format, args...))
}

// value computes one part of the expression of the query id.
func (e *evaluation) value(id string, x *expression) (value, error) {
	v, err := e.part(id, x)
	for _, s := range v.sequences {
		e.points += len(s.at)
	}
	if e.points > maxEvaluated {
		return value{}, errTooMuch()
	}
	return v, err
}

func (e *evaluation) part(id string, x *expression) (value, error) {
	switch x.op {
	case "number":
		return scalar(x.num), nil
	case "text":
		return value{}, mathError(id, "the text %s is of use in METRICS only", quoted(x.text))
	case "id":
		if e.byID[x.text] == nil {
			if x.text == "REPEAT" || x.text == "LINEAR" {
				return value{}, mathError(id, "%s is of use in FILL only", x.text)
			}
			return value{}, mathError(id, "unrecognized identifier: %s", quoted(x.text))
		}
		s, err := e.query(x.text)
		return single(s), err
	case "METRICS":
		return e.metrics(id, x)
	case "FILL":
		return e.fill(id, x)
	}
	args := make([]value, len(x.args))
	for i, a := range x.args {
		v, err := e.value(id, a)
		if err != nil {
			return value{}, err
		}
		args[i] = v
	}
	switch x.op {
	case "list":
		list := value{isList: true}
		for _, a := range args {
			if a.isNumber {
				return value{}, mathError(id, "a list has time series only")
			}
			list.sequences = append(list.sequences, a.sequences...)
		}
		return list, nil
	case "SUM", "AVG", "MIN", "MAX":
		return reduce(id, x.op, args[0])
	case "ABS":
		return eachOf(args[0], math.Abs), nil
	case "CEIL":
		return eachOf(args[0], math.Ceil), nil
	case "FLOOR":
		return eachOf(args[0], math.Floor), nil
	case "RATE":
		if args[0].isNumber {
			return value{}, mathError(id, "RATE needs a time series")
		}
		out := value{isList: args[0].isList}
		for _, s := range args[0].sequences {
			out.sequences = append(out.sequences, rate(s))
		}
		return out, nil
	case "IF":
		if len(args) == 2 {
			return choose(id, args)
		}
		return apply(id, args, func(v []float64) float64 {
			if v[0] != 0 {
				return v[1]
			}
			return v[2]
		})
	default:
		f := arithmetic[x.op]
		return apply(id, args, func(v []float64) float64 { return f(v[0], v[1]) })
	}
}

var arithmetic = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b }, "-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b }, "/": func(a, b float64) float64 { return a / b }, "^": math.Pow,
	"<": func(a, b float64) float64 { return truth(a < b) }, "<=": func(a, b float64) float64 { return truth(a <= b) },
	">": func(a, b float64) float64 { return truth(a > b) }, ">=": func(a, b float64) float64 { return truth(a >= b) },
	"==": func(a, b float64) float64 { return truth(a == b) }, "!=": func(a, b float64) float64 { return truth(a != b) },
	"&&": func(a, b float64) float64 { return truth(a != 0 && b != 0) }, "||": func(a, b float64) float64 { return truth(a != 0 || b != 0) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// metrics is the queries that read metrics, those whose id holds a text.
func (e *evaluation) metrics(id string, x *expression) (value, error) {
	part := ""
	if len(x.args) == 1 {
		if x.args[0].op != "text" {
			return value{}, mathError(id, "METRICS takes a text in quotes")
		}
		part = x.args[0].text
	}
	out := value{isList: true}
	for _, other := range e.order {
		if e.byID[other].MetricStat == nil || !strings.Contains(other, part) {
			continue
		}
		s, err := e.query(other)
		if err != nil {
			return value{}, err
		}
		out.sequences = append(out.sequences, s)
	}
	if len(out.sequences) == 0 {
		return value{}, mathError(id, "METRICS finds no query")
	}
	return out, nil
}

// apply computes f for each period in which all arguments have a value, once for
// each sequence of a list. A result that is no finite number is left out.
func apply(id string, args []value, f func([]float64) float64) (value, error) {
	lists, numbers := 0, 0
	for _, a := range args {
		if a.isList {
			lists++
		}
		if a.isNumber {
			numbers++
		}
	}
	if lists > 1 {
		return value{}, mathError(id, "one operand may be a list, not several")
	}
	row := make([]float64, len(args))
	if numbers == len(args) {
		for i, a := range args {
			row[i] = a.number
		}
		return scalar(f(row)), nil
	}
	rounds := 1
	for _, a := range args {
		if a.isList {
			rounds = len(a.sequences)
		}
	}
	out := value{isList: lists == 1}
	for r := range rounds {
		var of []sequence
		for _, a := range args {
			switch {
			case a.isList:
				of = append(of, a.sequences[r])
			case !a.isNumber:
				of = append(of, a.sequences[0])
			}
		}
		if err := samePeriod(id, of); err != nil {
			return value{}, err
		}
		out.sequences = append(out.sequences, both(of, func(have []float64) float64 {
			k := 0
			for i, a := range args {
				if row[i] = a.number; !a.isNumber {
					row[i] = have[k]
					k++
				}
			}
			return f(row)
		}).finite())
	}
	return out, nil
}

func samePeriod(id string, list []sequence) error {
	for _, s := range list {
		if s.period != list[0].period {
			return mathError(id, "its metrics have different periods, which Gatehouse does not bring together")
		}
	}
	return nil
}

// finite leaves out what is no finite number, as a division by zero gives.
func (s sequence) finite() sequence {
	out := sequence{period: s.period}
	for i, v := range s.values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out.at, out.values = append(out.at, s.at[i]), append(out.values, v)
		}
	}
	return out
}

// choose keeps the periods of a sequence in which a condition holds.
func choose(id string, args []value) (value, error) {
	return apply(id, args, func(v []float64) float64 {
		if v[0] != 0 {
			return v[1]
		}
		return math.NaN()
	})
}

func eachOf(v value, f func(float64) float64) value {
	if v.isNumber {
		return scalar(f(v.number))
	}
	out := value{isList: v.isList}
	for _, s := range v.sequences {
		out.sequences = append(out.sequences, s.each(f))
	}
	return out
}

// reduce makes one sequence of a list, period by period, and one number of a sequence.
func reduce(id, name string, v value) (value, error) {
	f := map[string]func([]float64) float64{
		"SUM": sum, "AVG": func(row []float64) float64 { return sum(row) / float64(len(row)) },
		"MIN": func(row []float64) float64 { return extreme(row, math.Min) }, "MAX": func(row []float64) float64 { return extreme(row, math.Max) },
	}[name]
	switch {
	case v.isNumber:
		return v, nil
	case !v.isList && len(v.sequences[0].values) == 0:
		return scalar(math.NaN()), nil
	case !v.isList:
		return scalar(f(v.sequences[0].values)), nil
	case len(v.sequences) == 0:
		return value{}, mathError(id, "%s of an empty list", name)
	}
	if err := samePeriod(id, v.sequences); err != nil {
		return value{}, err
	}
	return single(both(v.sequences, f)), nil
}

func sum(row []float64) (s float64) {
	for _, v := range row {
		s += v
	}
	return s
}

func extreme(row []float64, f func(a, b float64) float64) float64 {
	m := row[0]
	for _, v := range row[1:] {
		m = f(m, v)
	}
	return m
}

// rate is the change for each second since the period before that has a value.
func rate(s sequence) sequence {
	out := sequence{period: s.period}
	for i := 1; i < len(s.at); i++ {
		out.at = append(out.at, s.at[i])
		out.values = append(out.values, (s.values[i]-s.values[i-1])/float64(s.at[i]-s.at[i-1]))
	}
	return out
}

// fill gives the periods without a value one: a number, the value before, or one on
// the line between its neighbours.
func (e *evaluation) fill(id string, x *expression) (value, error) {
	of, err := e.value(id, x.args[0])
	if err != nil {
		return value{}, err
	}
	if of.isNumber {
		return value{}, mathError(id, "FILL needs a time series")
	}
	how := ""
	with := scalar(0)
	if x.args[1].op == "id" && (x.args[1].text == "REPEAT" || x.args[1].text == "LINEAR") {
		how = x.args[1].text
	} else if with, err = e.value(id, x.args[1]); err != nil {
		return value{}, err
	} else if !with.isNumber {
		return value{}, mathError(id, "FILL fills with a number, REPEAT or LINEAR")
	}
	out := value{isList: of.isList}
	for _, s := range of.sequences {
		if e.end.Unix()-e.start.Unix() > maxPeriods*s.period {
			return value{}, mathError(id, "FILL has too many periods to fill")
		}
		out.sequences = append(out.sequences, e.filled(s, how, with.number))
	}
	return out, nil
}

func (e *evaluation) filled(s sequence, how string, with float64) sequence {
	out := sequence{period: s.period}
	first := e.start.Unix()
	if len(s.at) > 0 { // periods are counted from those there are
		first = s.at[0] - (s.at[0]-first)/s.period*s.period
	} else if 86400%s.period == 0 {
		first = (first + s.period - 1) / s.period * s.period
	}
	next := 0
	for at := first; at < e.end.Unix(); at += s.period {
		if next < len(s.at) && s.at[next] == at {
			out.at, out.values = append(out.at, at), append(out.values, s.values[next])
			next++
			continue
		}
		v := with
		switch {
		case how != "" && next == 0: // nothing to go by
			continue
		case how == "REPEAT":
			v = s.values[next-1]
		case how == "LINEAR" && next == len(s.at):
			continue
		case how == "LINEAR":
			v = s.values[next-1] + (s.values[next]-s.values[next-1])*float64(at-s.at[next-1])/float64(s.at[next]-s.at[next-1])
		}
		out.at, out.values = append(out.at, at), append(out.values, v)
	}
	return out
}
