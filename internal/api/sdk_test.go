package api_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkiot "github.com/aws/aws-sdk-go-v2/service/iot"
	sdkdata "github.com/aws/aws-sdk-go-v2/service/iotdataplane"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/api/iot"
	"github.com/gatehouse-iot/gatehouse/internal/api/iotdata"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

var (
	iotService  = iot.NewService(iot.Unimplemented{})
	dataService = iotdata.NewService(iotdata.Unimplemented{})
)

// snapshots returns the files that the SDK's module ships, by name without ending.
func snapshots(t *testing.T, module, folder, ending string) map[string][]byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("find %s: %v", module, err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), folder, "*"+ending))
	if err != nil || len(files) == 0 {
		t.Fatalf("no snapshots %s in %s: %v", ending, dir, err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ending)] = text
	}
	return out
}

// parse takes a snapshot apart: a first line, headers, an empty line, the body.
func parse(t *testing.T, text []byte) (first string, header http.Header, body []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(text))
	line, _ := r.ReadString('\n')
	first = strings.TrimSpace(line)
	header = http.Header{}
	if strings.HasPrefix(first, "2") || strings.HasPrefix(first, "4") || strings.HasPrefix(first, "5") {
	} else if line, _ = r.ReadString('\n'); strings.TrimSpace(line) != "" {
		t.Fatalf("second line is %q", line)
	}
	for {
		line, err := r.ReadString('\n')
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		k, v, _ := strings.Cut(line, ": ")
		header.Add(k, v)
		if err != nil {
			break
		}
	}
	body, _ = io.ReadAll(r)
	return first, header, body
}

// TestRequestSnapshots replays every request that the SDK's authors froze: the
// operation is recognised, and writing what was decoded gives the request again,
// so that no member was lost.
func TestRequestSnapshots(t *testing.T) {
	for module, svc := range map[string]*api.Service{
		"github.com/aws/aws-sdk-go-v2/service/iot":          iotService,
		"github.com/aws/aws-sdk-go-v2/service/iotdataplane": dataService,
	} {
		seen := map[string]bool{}
		for name, text := range snapshots(t, module, "request_snapshot", ".request.snap") {
			first, header, body := parse(t, text)
			if header.Get("X-Amz-Mqtt5-User-Properties") != "" { // the frozen one is no JSON
				header.Set("X-Amz-Mqtt5-User-Properties", base64.StdEncoding.EncodeToString([]byte(`[{"k":"v"}]`)))
			}
			method, uri, _ := strings.Cut(first, " ")
			path, rawQuery, _ := strings.Cut(uri, "?")
			query, err := url.ParseQuery(rawQuery)
			if err != nil {
				t.Fatal(err)
			}
			sent := api.Wire{Method: method, Path: path, Query: query, Header: header, Body: body}
			op, in, err := api.DecodeForTest(svc, sent)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if op.Name != name {
				t.Errorf("%s %s: routed to %s, want %s", method, uri, op.Name, name)
				continue
			}
			seen[name] = true
			got := api.EncodeRequestForTest(op, in)
			if a, b := unescape(t, got.Path), unescape(t, strings.TrimSuffix(path, "/")); strings.TrimSuffix(a, "/") != b {
				t.Errorf("%s: path %s, want %s", name, a, b)
			}
			if diff := cmp.Diff(times(query), times(got.Query), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: query (-sent +decoded):\n%s", name, diff)
			}
			header.Del("Content-Type")
			header.Del("Content-Length")
			if diff := cmp.Diff(header, got.Header, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: headers (-sent +decoded):\n%s", name, diff)
			}
			if diff := cmp.Diff(document(t, body), document(t, got.Body)); diff != "" {
				t.Errorf("%s: body (-sent +decoded):\n%s", name, diff)
			}
		}
		for _, op := range svc.Operations {
			if !seen[op.Info.Name] {
				t.Errorf("%s: no snapshot replayed for %s", svc.ID, op.Info.Name)
			}
		}
	}
}

func unescape(t *testing.T, path string) string {
	t.Helper()
	p, err := url.PathUnescape(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// times writes the times in a query in one form.
func times(q url.Values) url.Values {
	out := url.Values{}
	for k, vs := range q {
		for _, v := range vs {
			if ts, err := time.Parse(time.RFC3339Nano, v); err == nil {
				v = ts.UTC().Format(time.RFC3339Nano)
			}
			out.Add(k, v)
		}
	}
	return out
}

// document returns a JSON body as values, and any other body as text.
func document(t *testing.T, body []byte) any {
	t.Helper()
	if len(body) == 0 {
		return map[string]any{}
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return string(body)
	}
	return v
}

// canned answers every request of a client with one response.
type canned struct{ resp *http.Response }

func (c canned) Do(*http.Request) (*http.Response, error) { return c.resp, nil }

// call sends the operation op through a real client that gets resp as its answer.
func call(t *testing.T, svc *api.Service, op string, resp *http.Response) (any, error) {
	t.Helper()
	options := []func(*middleware.Stack) error{func(s *middleware.Stack) error {
		_, _ = s.Initialize.Remove("OperationInputValidation") // some operations have none
		return nil
	}}
	cred := credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", "")
	var client reflect.Value
	if svc == dataService {
		client = reflect.ValueOf(sdkdata.New(sdkdata.Options{
			Region: "us-east-1", Credentials: cred, HTTPClient: canned{resp}, RetryMaxAttempts: 1, APIOptions: options, BaseEndpoint: aws.String("https://localhost"),
		}))
	} else {
		client = reflect.ValueOf(sdkiot.New(sdkiot.Options{
			Region: "us-east-1", Credentials: cred, HTTPClient: canned{resp}, RetryMaxAttempts: 1, APIOptions: options, BaseEndpoint: aws.String("https://localhost"),
		}))
	}
	method := client.MethodByName(op)
	if !method.IsValid() {
		t.Fatalf("the SDK has no operation %s", op)
	}
	results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), sample(method.Type().In(1))})
	err, _ := reflect.TypeAssert[error](results[1])
	return results[0].Interface(), err
}

// sample returns an input whose scalars are set, so that its path can be written.
func sample(typ reflect.Type) reflect.Value {
	in := reflect.New(typ.Elem())
	for _, f := range in.Elem().Fields() {
		if !f.CanSet() {
			continue
		}
		switch {
		case f.Type() == reflect.TypeFor[*string]():
			f.Set(reflect.ValueOf(aws.String("x1")))
		case f.Type() == reflect.TypeFor[*int32]():
			f.Set(reflect.ValueOf(aws.Int32(1)))
		case f.Type() == reflect.TypeFor[*int64]():
			f.Set(reflect.ValueOf(aws.Int64(1)))
		case f.Kind() == reflect.String:
			f.SetString("x1")
		}
	}
	return in
}

// TestSDKReadsOutputs encodes random outputs of every operation and compares
// them with what the SDK's own deserializer makes of them.
func TestSDKReadsOutputs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, svc := range []*api.Service{iotService, dataService} {
		for i := range svc.Operations {
			op := svc.Operations[i].Info
			for round := range 3 {
				out := output(t, svc, op.Name)
				if op.Output != nil {
					api.FillForTest(rnd, out.Elem(), op.Output, round == 0)
				}
				resp := api.EncodeForTest(op, out.Interface())
				body, _ := io.ReadAll(resp.Body)
				resp.Body = io.NopCloser(bytes.NewReader(body))
				got, err := call(t, svc, op.Name, resp)
				if err != nil {
					t.Errorf("%s: the SDK cannot read %s: %v", op.Name, body, err)
					continue
				}
				if diff := cmp.Diff(tree(out), tree(reflect.ValueOf(got)), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: answered %s; (-ours +the SDK's):\n%s", op.Name, body, diff)
				}
			}
		}
	}
}

// output returns a new output of an operation, which its default handler's type tells.
func output(t *testing.T, svc *api.Service, op string) reflect.Value {
	t.Helper()
	h := reflect.ValueOf(any(iot.Unimplemented{}))
	if svc == dataService {
		h = reflect.ValueOf(any(iotdata.Unimplemented{}))
	}
	return reflect.New(h.MethodByName(op).Type().Out(0).Elem())
}

// tree turns a value of ours or of the SDK's into maps, lists and scalars that
// can be compared: what is absent or zero is left out.
func tree(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Struct:
		switch x := v.Interface().(type) {
		case time.Time:
			return x.UnixMilli()
		case api.Time:
			return x.UnixMilli()
		}
		m := map[string]any{}
		if _, member, ok := strings.Cut(v.Type().Name(), "VariantMember"); ok { // the SDK's form of a union
			m[member] = tree(v.FieldByName("Value"))
			return m
		}
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if !v.Type().Field(i).IsExported() || name == "ResultMetadata" {
				continue
			}
			if x := tree(v.Field(i)); name != "StatusCode" && x != nil && !reflect.ValueOf(x).IsZero() {
				m[strings.TrimSuffix(name, "_")] = x
			}
		}
		return m
	case reflect.Slice:
		if b, ok := reflect.TypeAssert[[]byte](v); ok {
			return string(b)
		}
		if v.Len() == 0 {
			return nil
		}
		var l []any
		for i := range v.Len() {
			l = append(l, tree(v.Index(i)))
		}
		return l
	case reflect.Map:
		if v.Len() == 0 {
			return nil
		}
		m := map[string]any{}
		for _, k := range v.MapKeys() {
			m[k.String()] = tree(v.MapIndex(k))
		}
		return m
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	default:
		return nil
	}
}

// TestResponseSnapshots reads the answers that the SDK's authors froze into our
// types and writes them again.
func TestResponseSnapshots(t *testing.T) {
	for name, text := range snapshots(t, "github.com/aws/aws-sdk-go-v2/service/iot", "response_snapshot", ".response.snap") {
		i := slices.IndexFunc(iotService.Operations, func(o api.Operation) bool { return o.Info.Name == name })
		if i < 0 {
			t.Errorf("snapshot of an unknown operation %s", name)
			continue
		}
		op := iotService.Operations[i].Info
		first, _, body := parse(t, text)
		out := output(t, iotService, name)
		if op.Output == nil {
			if s := strings.TrimSpace(string(body)); s != "" && s != "{}" {
				t.Errorf("%s: the snapshot has a body, the model has none: %s", name, body)
			}
			continue
		}
		if err := api.DecodeOutputForTest(op.Output, body, out.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp := api.EncodeForTest(op, out.Interface())
		if status, _ := strconv.Atoi(first); status != resp.StatusCode {
			t.Errorf("%s: status %d, want %s", name, resp.StatusCode, first)
		}
		got, _ := io.ReadAll(resp.Body)
		if name == "DeleteCommand" { // the snapshot repeats the HTTP status in the body
			body = []byte("{}")
		}
		if diff := cmp.Diff(document(t, body), document(t, got)); diff != "" {
			t.Errorf("%s: (-snapshot +ours):\n%s", name, diff)
		}
	}
}

// TestSDKReadsErrors renders every exception of the model: the SDK makes its
// typed error of it, with the status of the frozen answer.
func TestSDKReadsErrors(t *testing.T) {
	mapError := iot.New(iot.Handlers{}).MapError
	for name, text := range snapshots(t, "github.com/aws/aws-sdk-go-v2/service/iot", "response_snapshot", ".error.snap") {
		status, _, _ := parse(t, text)
		code, _ := strconv.Atoi(status)
		e := mapError(&registry.Error{Kind: registry.Kind(name), Message: "it is <so>", ResourceARN: "arn:x", ResourceID: "id-1"})
		if e == nil {
			t.Errorf("%s: no exception of that name", name)
			continue
		}
		if e.Status != code {
			t.Errorf("%s: status %d, want %d", name, e.Status, code)
		}
		_, err := call(t, iotService, operationWith(name), api.RenderForTest(iotService, e))
		typed := err
		for typed != nil && !strings.HasSuffix(reflect.TypeOf(typed).String(), "types."+name) {
			u, ok := typed.(interface{ Unwrap() error })
			if !ok {
				break
			}
			typed = u.Unwrap()
		}
		if typed == nil || !strings.HasSuffix(reflect.TypeOf(typed).String(), "types."+name) {
			t.Errorf("%s: the SDK made %T of it: %v", name, typed, err)
			continue
		}
		if !strings.Contains(typed.Error(), "it is <so>") {
			t.Errorf("%s: message lost: %v", name, typed)
		}
	}
}

// operationWith returns an operation that lists the exception.
func operationWith(exception string) string {
	for _, op := range iotService.Operations {
		if slices.Contains(op.Info.Errors, exception) {
			return op.Info.Name
		}
	}
	return "DescribeThing"
}
