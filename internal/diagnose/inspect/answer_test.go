package inspect

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-iot/gatehouse/internal/diagnose/probe"
)

// sums is a meter with one value a metric.
type sums map[string]float64

func (s sums) GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for id, v := range s {
		out.MetricDataResults = append(out.MetricDataResults, cwtypes.MetricDataResult{Id: aws.String(id), Values: []float64{v}})
	}
	return out, nil
}

func TestInvocations(t *testing.T) {
	a := authorizer{AuthorizerDescription: &types.AuthorizerDescription{}, function: "f"}
	for name, tt := range map[string]struct {
		sums sums
		want probe.Outcome
	}{
		"some fail":    {sums{"invocations": 12, "errors": 4}, probe.Warn},
		"none fails":   {sums{"invocations": 12}, probe.Pass},
		"none invoked": {sums{}, probe.Pass},
	} {
		l := &look{Inspector: &Inspector{metrics: tt.sums}}
		got := l.invocations(t.Context(), a)
		if len(got) != 1 || got[0].Check.Code != "account.function_failing" || got[0].Outcome != tt.want {
			t.Errorf("%s: %+v, want %s", name, got, tt.want)
		}
	}
}

// journal is a log whose query runs once before it answers.
type journal struct {
	asked string
	polls int
	rows  [][]logtypes.ResultField
}

func (j *journal) StartQuery(_ context.Context, in *logs.StartQueryInput, _ ...func(*logs.Options)) (*logs.StartQueryOutput, error) {
	j.asked = *in.QueryString
	return &logs.StartQueryOutput{QueryId: aws.String("q")}, nil
}

func (j *journal) GetQueryResults(context.Context, *logs.GetQueryResultsInput, ...func(*logs.Options)) (*logs.GetQueryResultsOutput, error) {
	j.polls++
	if j.polls == 1 {
		return &logs.GetQueryResultsOutput{Status: logtypes.QueryStatusRunning}, nil
	}
	return &logs.GetQueryResultsOutput{Status: logtypes.QueryStatusComplete, Results: j.rows}, nil
}

func TestLog(t *testing.T) {
	field := func(name, value string) logtypes.ResultField {
		return logtypes.ResultField{Field: &name, Value: &value}
	}
	j := &journal{rows: [][]logtypes.ResultField{{field("eventType", "Connect"), field("reason", "AUTHORIZATION_FAILURE")}}}
	l := &look{Inspector: &Inspector{logs: j}, device: Device{ClientID: `a" or "1" = "1`}}
	got := l.log(t.Context())
	if len(got) != 1 || got[0].Check.Code != "account.logged_failure" || got[0].Evidence.Get("reason") != "Connect AUTHORIZATION_FAILURE" || got[0].Evidence.Get("count") != "1" {
		t.Errorf("results %+v", got)
	}
	const want = `fields @timestamp, eventType, status, reason, clientId | filter status = "Failure" and (clientId = "a\" or \"1\" = \"1") | sort @timestamp desc | limit 10`
	if j.asked != want {
		t.Errorf("asked\n%s\nwant\n%s", j.asked, want)
	}
}

func TestUnseen(t *testing.T) {
	l := &look{}
	for code, err := range map[string]error{
		"account.not_permitted": &smithy.GenericAPIError{Code: "AccessDeniedException"},
		"account.not_answered":  &smithy.GenericAPIError{Code: "InternalFailureException"},
	} {
		if got := l.unseen("iot:GetPolicy", err); got.Check.Code != code || got.Outcome != probe.Unknown {
			t.Errorf("%v: %s %s, want %s", err, got.Check.Code, got.Outcome, code)
		}
	}
	if got := l.unseen("iot:GetPolicy", errors.New("dial tcp: no route to host")); got.Check.Code != "account.not_answered" {
		t.Errorf("a broken network is %s", got.Check.Code)
	}
}
