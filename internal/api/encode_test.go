package api_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/api/iot"
	"github.com/gatehouse-iot/gatehouse/internal/api/iotdata"
)

func info(t *testing.T, svc *api.Service, name string) *api.OperationInfo {
	t.Helper()
	for _, op := range svc.Operations {
		if op.Info.Name == name {
			return op.Info
		}
	}
	t.Fatalf("no operation %s", name)
	return nil
}

func TestEncode(t *testing.T) {
	at := func(ms int64) *api.Time { return api.TimeOf(time.UnixMilli(ms)) }
	for name, tt := range map[string]struct {
		op          *api.OperationInfo
		out         any
		status      int
		contentType string
		body        string
	}{
		"lists at the top are there":    {info(t, iotService, "ListThings"), &iot.ListThingsResponse{}, 200, "application/json", `{"things":[]}`},
		"maps at the top too":           {info(t, iotService, "DescribeThing"), &iot.DescribeThingResponse{}, 200, "application/json", `{"attributes":{}}`},
		"nested ones only when set":     {info(t, iotService, "ListThings"), &iot.ListThingsResponse{Things: []iot.ThingAttribute{{ThingName: new("a")}}}, 200, "application/json", `{"things":[{"thingName":"a"}]}`},
		"no output, nil":                {info(t, iotService, "DeletePolicy"), (*iot.DeletePolicyResponse)(nil), 200, "", ""},
		"empty output, nil":             {info(t, iotService, "DeleteThing"), (*iot.DeleteThingResponse)(nil), 200, "application/json", `{}`},
		"no HTML escapes":               {info(t, iotService, "GetPolicy"), &iot.GetPolicyResponse{PolicyDocument: new("<\"a\">&\u2028é\n")}, 200, "application/json", "{\"policyDocument\":\"<\\\"a\\\">&\u2028é\\n\"}"},
		"broken UTF-8 is replaced":      {info(t, iotService, "GetPolicy"), &iot.GetPolicyResponse{PolicyName: new("a\xff")}, 200, "application/json", "{\"policyName\":\"a\ufffd\"}"},
		"whole seconds":                 {info(t, iotService, "GetPolicy"), &iot.GetPolicyResponse{CreationDate: at(1704164645000)}, 200, "application/json", `{"creationDate":1704164645}`},
		"milliseconds":                  {info(t, iotService, "GetPolicy"), &iot.GetPolicyResponse{CreationDate: at(1704164645070)}, 200, "application/json", `{"creationDate":1704164645.07}`},
		"before 1970":                   {info(t, iotService, "GetPolicy"), &iot.GetPolicyResponse{CreationDate: at(-1500)}, 200, "application/json", `{"creationDate":-1.5}`},
		"zero is not absent":            {info(t, iotService, "DescribeThing"), &iot.DescribeThingResponse{Version: new(int64(0))}, 200, "application/json", `{"attributes":{},"version":0}`},
		"integers without exponent":     {info(t, iotService, "DescribeThing"), &iot.DescribeThingResponse{Version: new(int64(9007199254740993))}, 200, "application/json", `{"attributes":{},"version":9007199254740993}`},
		"status from the output":        {info(t, iotService, "DeleteCommand"), &iot.DeleteCommandResponse{StatusCode: new(int32(202))}, 202, "application/json", `{}`},
		"a status that is none is kept": {info(t, iotService, "DeleteCommand"), &iot.DeleteCommandResponse{StatusCode: new(int32(7))}, 200, "application/json", `{}`},
		"raw payload":                   {info(t, dataService, "GetThingShadow"), &iotdata.GetThingShadowResponse{Payload: []byte(`{"state":{}}`)}, 200, "application/octet-stream", `{"state":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			resp := api.EncodeForTest(tt.op, tt.out)
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.status || resp.Header.Get("Content-Type") != tt.contentType || string(body) != tt.body {
				t.Errorf("got %d %s %s\nwant %d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), body, tt.status, tt.contentType, tt.body)
			}
		})
	}
}

// BenchmarkRequest is the way of one request without signature and handler.
func BenchmarkRequest(b *testing.B) {
	w := api.Wire{Method: http.MethodPost, Path: "/things/sensor-1", Body: []byte(`{"thingTypeName":"t","attributePayload":{"attributes":{"site":"berlin","floor":"3"},"merge":true}}`)}
	b.ReportAllocs()
	for b.Loop() {
		if e := api.ValidateForTest(iotService, w); e != nil {
			b.Fatal(e)
		}
	}
}
