package api_test

import (
	"bytes"
	"math/rand/v2"
	"net/url"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/internal/api"
)

// FuzzDecode states two laws: no request makes the decoder or the validator
// panic, and writing what was decoded and decoding it again changes nothing.
func FuzzDecode(f *testing.F) {
	f.Add("POST", "/things/a", "", []byte(`{"attributePayload":{"attributes":{"k":"v"},"merge":true}}`))
	f.Add("GET", "/things", "maxResults=5&usePrefixAttributeValue=true", []byte(nil))
	f.Add("POST", "/rules/r", "", []byte(`{"sql":"SELECT 1","actions":[{"republish":{"qos":1,"topic":"a","roleArn":"r"}}]}`))
	f.Add("PUT", "/jobs/j", "", []byte(`{"targets":["t"],"abortConfig":{"criteriaList":[{"thresholdPercentage":1e1}]}}`))
	f.Add("GET", "/audit/tasks", "startTime=2024-01-02T03:04:05Z&endTime=2024-01-02T03:04:05.678Z", []byte(nil))
	f.Add("DELETE", "/untag", "tagKeys=a&tagKeys=b", []byte(`{"resourceArn":"a","tagKeys":[null,"x"]}`))
	f.Add("POST", "/policies/a%2Fb", "", []byte(`{"policyDocument":"\ud800"}`))
	f.Fuzz(func(t *testing.T, method, path, rawQuery string, body []byte) {
		query, err := url.ParseQuery(rawQuery)
		if err != nil {
			t.Skip()
		}
		w := api.Wire{Method: method, Path: path, Query: query, Body: body}
		op, in, err := api.DecodeForTest(iotService, w)
		if err != nil {
			return
		}
		if e := api.ValidateForTest(iotService, w); e != nil && (e.Code != op.Invalid || e.Message == "" || len(e.Message) > 200<<10) {
			t.Fatalf("a violation is worded %v", e)
		}
		again := api.EncodeRequestForTest(op, in)
		_, second, err := api.DecodeForTest(iotService, again)
		if err != nil {
			t.Fatalf("%s: %+v, written as %+v, does not decode: %v", op.Name, in, again, err)
		}
		if third := api.EncodeRequestForTest(op, second); !bytes.Equal(third.Body, again.Body) || third.Path != again.Path || !reflect.DeepEqual(third.Query, again.Query) {
			t.Fatalf("%s: %+v became %+v", op.Name, again, third)
		}
	})
}

// TestRoundTrip decodes random requests of every operation and compares.
func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, svc := range []*api.Service{iotService, dataService} {
		for i := range svc.Operations {
			op := svc.Operations[i]
			for range 3 {
				in := op.New()
				api.FillForTest(rnd, reflect.ValueOf(in).Elem(), op.Info.Input, false)
				w := api.EncodeRequestForTest(op.Info, in)
				got, out, err := api.DecodeForTest(svc, w)
				if err != nil || got.Name != op.Info.Name {
					t.Errorf("%s: %+v: routed to %v, %v", op.Info.Name, w, got, err)
					continue
				}
				if diff := cmp.Diff(in, out); diff != "" {
					t.Errorf("%s: (-sent +decoded):\n%s", op.Info.Name, diff)
				}
			}
		}
	}
}
