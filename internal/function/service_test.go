package function

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestReferences reads every form of a function's name.
func TestReferences(t *testing.T) {
	s := &Service{cfg: Config{AccountID: testAccount, Region: "us-east-1"}, partition: "aws"}
	for _, tt := range []struct {
		text, qualifier string
		want            reference
		refused         Kind
	}{
		{"f", "", reference{"f", ""}, ""},
		{"f:live", "", reference{"f", "live"}, ""},
		{"f", "3", reference{"f", "3"}, ""},
		{"f:3", "3", reference{"f", "3"}, ""},
		{"f:3", "4", reference{}, InvalidParameter},
		{"function:f", "", reference{"f", ""}, ""},
		{"123456789012:function:f", "", reference{"f", ""}, ""},
		{"123456789012:function:f:$LATEST", "", reference{"f", "$LATEST"}, ""},
		{"111111111111:function:f", "", reference{}, ResourceNotFound},
		{functionARN, "", reference{"f", ""}, ""},
		{functionARN + ":live", "", reference{"f", "live"}, ""},
		{"arn:aws:lambda:eu-west-1:123456789012:function:f", "", reference{}, ResourceNotFound},
		{"arn:aws:iot:us-east-1:123456789012:function:f", "", reference{}, InvalidParameter},
		{"", "", reference{}, InvalidParameter},
		{"a b", "", reference{}, InvalidParameter},
		{"f:a:b", "", reference{}, InvalidParameter},
		{strings.Repeat("x", 65), "", reference{}, InvalidParameter},
	} {
		got, err := s.parseReference(tt.text, tt.qualifier)
		if got != tt.want || tt.refused == "" && err != nil || tt.refused != "" && !isKind(err, tt.refused) {
			t.Errorf("%q %q: %+v %v, want %+v %s", tt.text, tt.qualifier, got, err, tt.want, tt.refused)
		}
	}
}

// observations collects what a Meter is told.
type observations struct {
	mu   sync.Mutex
	list []Observation
}

// Observe implements [Meter].
func (o *observations) Observe(ob Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, ob)
}

// TestConcurrency starts a process for each execution, throttles beyond the
// limit, and uses processes again.
func TestConcurrency(t *testing.T) {
	seen := &observations{}
	s := newService(t, func(c *Config) { c.Meter = seen })
	create(t, s, "slow", "nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async e => { await new Promise(r => setTimeout(r, e.ms)); return process.pid }`})
	two := 2
	if err := s.SetConcurrency(t.Context(), "slow", &two); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if res, err := s.Invoke(t.Context(), Request{FunctionARN: "slow", Payload: []byte(`{"ms":3000}`)}); err != nil || res.Outcome != Succeeded {
				t.Errorf("%s %s %v", res.Outcome, res.Message, err)
			}
		})
	}
	waitFor(t, "two executions", func() bool {
		s.running.Lock()
		defer s.running.Unlock()
		return s.runner != nil && s.runner.executions("slow") == 2
	})
	res := invoke(t, s, "slow", `{"ms":0}`)
	if res.Outcome != Throttled || res.Concurrency != (Concurrency{"function", 2, 2}) || res.FunctionError() != "" {
		t.Errorf("third execution: %s %+v", res.Outcome, res.Concurrency)
	}
	wg.Wait()
	pids := map[string]bool{}
	for range 20 {
		res := invoke(t, s, "slow", `{"ms":0}`)
		if res.Outcome != Succeeded {
			t.Fatal(res.Outcome, res.Message)
		}
		pids[string(res.Payload)] = true
	}
	if len(s.runner.all) > 2 {
		t.Errorf("%d processes for 20 invocations one after the other", len(s.runner.all))
	}
	zero := 0
	if err := s.SetConcurrency(t.Context(), "slow", &zero); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the processes to be idle", func() bool { return s.runner.executions("slow") == 0 })
	if res := invoke(t, s, "slow", `{"ms":0}`); res.Outcome != Throttled || res.Concurrency != (Concurrency{"function", 0, 0}) {
		t.Errorf("with nothing reserved, and idle processes: %s %+v", res.Outcome, res.Concurrency)
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	throttled := 0
	for _, o := range seen.list {
		if o.Throttled {
			throttled++
		}
	}
	if throttled == 0 || len(seen.list) < 23 {
		t.Errorf("%d observations, %d throttled", len(seen.list), throttled)
	}
}

// TestLimits are the two clocks of an invocation: the caller's and the function's.
func TestLimits(t *testing.T) {
	s := newService(t)
	create(t, s, "sleep", "provided.al2023", "bootstrap", goProgram(t, "hostile"), timeout(60))
	invoke(t, s, "sleep", `{}`)
	began := time.Now()
	res, err := s.Invoke(t.Context(), Request{FunctionARN: "sleep", Payload: []byte(`{"mode":"sigterm"}`), Limit: 300 * time.Millisecond})
	if err != nil || res.Outcome != TimedOut || res.Limit != 300*time.Millisecond || time.Since(began) > 10*time.Second {
		t.Errorf("%s %v after %s: %s", res.Outcome, err, time.Since(began), res.Payload)
	}
	create(t, s, "start", "nodejs20.x", "index.mjs.handler", map[string]string{"index.mjs": `await new Promise(r => setTimeout(r, 1500)); export const mjs = {handler: async () => "up"}`})
	res, err = s.Invoke(t.Context(), Request{FunctionARN: "start", Payload: []byte(`{}`), Limit: 200 * time.Millisecond})
	if err != nil || res.Outcome != TimedOut || !strings.Contains(res.Message, "still starting") {
		t.Errorf("a start that takes too long: %s %q %v", res.Outcome, res.Message, err)
	}
	waitFor(t, "the start to be over", func() bool { return s.runner.executions("start") == 0 })
	if res := invoke(t, s, "start", `{}`); res.Outcome != Succeeded || len(s.runner.all) > 2 {
		t.Errorf("the process that came up late: %s, %d processes", res.Outcome, len(s.runner.all))
	}
}

// TestVersions publishes, changes and removes, across a restart.
func TestVersions(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{DataDir: dir, AccountID: testAccount, Partition: "aws", Region: "us-east-1"}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	js := func(n string) map[string]string {
		return map[string]string{"index.js": "exports.handler = async () => " + n}
	}
	create(t, s, "f", "nodejs20.x", "index.handler", js("1"), func(in *NewFunction) { in.Publish = true })
	if _, err := s.UpdateCode(t.Context(), "f", zipOf(t, js("2")), nil, "", false, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.CreateAlias(t.Context(), "f", Alias{Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, want := range map[string]string{"f": "2", "f:1": "1", "f:live": "1", "f:$LATEST": "2"} {
		if res := invoke(t, s, name, `{}`); string(res.Payload) != want {
			t.Errorf("%s: %s %s, want %s", name, res.Outcome, res.Payload, want)
		}
	}
	if res := invoke(t, s, "f:2", `{}`); res.Outcome != NotFound {
		t.Errorf("f:2: %s", res.Outcome)
	}
	if err := s.Delete(t.Context(), "f", "1"); !isKind(err, ResourceConflict) {
		t.Errorf("version under an alias: %v", err)
	}
	if err := s.Delete(t.Context(), "f", ""); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, dataFolder, "*.zip"))
	if err != nil || len(left) > 0 {
		t.Errorf("packages left: %v %v", left, err)
	}
	if _, err := os.Stat(s.runDir); err != nil {
		t.Errorf("run folder: %v", err)
	}
}

// TestRemote invokes at another Lambda endpoint.
func TestRemote(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	var status int
	var header map[string]string
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "/us-east-1/lambda/aws4_request") || r.URL.Path != "/2015-03-31/functions/"+functionARN+"/invocations" {
			t.Errorf("got %s %s %v", r.Method, r.URL, r.Header)
		}
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect took the event to %s", r.Host)
	}))
	defer elsewhere.Close()
	r, err := NewRemote(t.Context(), server.URL, "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.http.CloseIdleConnections()
	for _, tt := range []struct {
		status int
		header map[string]string
		body   string
		want   Outcome
	}{
		{200, map[string]string{"X-Amz-Executed-Version": "$LATEST"}, `{"isAuthenticated":true}`, Succeeded},
		{200, map[string]string{"X-Amz-Function-Error": "Unhandled"}, `{"errorType":"TypeError","errorMessage":"x"}`, HandlerFailed},
		{200, map[string]string{"X-Amz-Function-Error": "Unhandled"}, `{"errorMessage":"2026-01-15T10:00:05.000Z id Task timed out after 5.00 seconds"}`, TimedOut},
		{404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{"Message":"Function not found"}`, NotFound},
		{429, nil, `{"message":"Rate Exceeded"}`, Throttled},
		{403, nil, `{"Message":"no"}`, Unreachable},
		{307, map[string]string{"Location": elsewhere.URL}, ``, Unreachable},
		{502, nil, `<html>`, Unreachable},
	} {
		status, header, body = tt.status, tt.header, tt.body
		res, err := r.Invoke(t.Context(), Request{FunctionARN: functionARN, Payload: []byte(`{}`), Limit: patience})
		if err != nil || res.Outcome != tt.want || tt.want == Succeeded && !json.Valid(res.Payload) {
			t.Errorf("%d %s: %s %q %v, want %s", tt.status, tt.body, res.Outcome, res.Message, err, tt.want)
		}
	}
	server.Close()
	if res, err := r.Invoke(t.Context(), Request{FunctionARN: functionARN}); err != nil || res.Outcome != Unreachable {
		t.Errorf("nobody there: %s %v", res.Outcome, err)
	}
}
