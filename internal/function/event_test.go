package function

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestEventOutlivesARestart: what was accepted and not run is run by the next start.
func TestEventOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	log := newMemoryLog()
	open := func() *Service {
		s, err := Open(t.Context(), Config{DataDir: dir, AccountID: testAccount, Partition: "aws", Region: "us-east-1", Logs: log})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	create(t, s, "f", "nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async e => console.log("ran " + e.n)`})
	zero := 0
	if err := s.SetConcurrency(t.Context(), "f", &zero); err != nil { // it finds no room, so it waits
		t.Fatal(err)
	}
	if res, err := s.InvokeEvent(t.Context(), Request{FunctionARN: "f", Payload: []byte(`{"n":7}`)}); err != nil || res.Outcome != Succeeded {
		t.Fatalf("%s %v", res.Outcome, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if err := s.SetConcurrency(t.Context(), "f", nil); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the invocation to run", func() bool { return log.has("ran 7") })
	waitFor(t, "its row to go", func() bool {
		rows, err := s.rows.events(t.Context())
		return err == nil && len(rows) == 0
	})
}

// has tells whether a line was logged.
func (l *memoryLog) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lines := range l.events {
		for _, line := range lines {
			if strings.Contains(line, text) {
				return true
			}
		}
	}
	return false
}

// TestEventRetries: how often and when an event runs again, by what came of it.
func TestEventRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		res  Result
		want []time.Duration // between the tries
	}{
		"succeeded": {Result{Outcome: Succeeded}, nil},
		"failed":    {Result{Outcome: HandlerFailed}, []time.Duration{time.Minute, 2 * time.Minute}},
		"timed out": {Result{Outcome: TimedOut}, []time.Duration{time.Minute, 2 * time.Minute}},
		"gone":      {Result{Outcome: NotFound}, nil},
		"not here":  {Result{Outcome: NotRunnable}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &events{s: &Service{cfg: Config{Slog: discard}}}
				e := &event{accepted: time.Now()}
				for _, want := range tt.want {
					if !q.again(e, &tt.res, nil) || time.Until(e.due) != want {
						t.Fatalf("again in %s, want %s", time.Until(e.due), want)
					}
				}
				if q.again(e, &tt.res, nil) {
					t.Errorf("again after %d tries", len(tt.want)+1)
				}
			})
		})
	}
	t.Run("throttled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := &events{s: &Service{cfg: Config{Slog: discard}}}
			e := &event{accepted: time.Now()}
			first := e.accepted
			for q.again(e, &Result{Outcome: Throttled}, nil) {
				if wait := time.Until(e.due); wait < time.Second || wait > throttleMost {
					t.Fatalf("the next try after %s", wait)
				}
				time.Sleep(time.Until(e.due))
			}
			if took := time.Since(first); took > maxEventAge || took < maxEventAge-throttleMost {
				t.Errorf("given up after %s", took)
			}
			if e.failures != 0 {
				t.Errorf("%d failures of a function that never ran", e.failures)
			}
		})
	})
}

// TestEventsAreBounded: more than maxEvents wait for nobody.
func TestEventsAreBounded(t *testing.T) {
	s := newService(t)
	create(t, s, "f", "nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async () => 1`})
	s.events.mu.Lock()
	for range maxEvents {
		s.events.waiting = append(s.events.waiting, &event{due: time.Now().Add(time.Hour)})
	}
	s.events.mu.Unlock()
	if res, err := s.InvokeEvent(t.Context(), Request{FunctionARN: "f"}); err != nil || res.Outcome != Throttled {
		t.Errorf("%s %v", res.Outcome, err)
	}
	if res, err := s.InvokeEvent(t.Context(), Request{FunctionARN: "nope"}); err != nil || res.Outcome != NotFound {
		t.Errorf("%s %v", res.Outcome, err)
	}
}

// TestKeepWarm: a process waits for the first invocation, again after new code,
// and not for a caller without permission.
func TestKeepWarm(t *testing.T) {
	s := newService(t)
	js := func(n string) map[string]string {
		return map[string]string{"index.js": `exports.handler = async () => "` + n + `"`}
	}
	create(t, s, "f", "nodejs20.x", "index.handler", js("1"))
	caller := Caller{Service: "iot.amazonaws.com", SourceARN: "arn:aws:iot:us-east-1:" + testAccount + ":authorizer/a", SourceAccount: testAccount}
	s.KeepWarm([]Request{{FunctionARN: "f", Caller: caller}})
	s.warming.Wait()
	if s.runner != nil && len(s.runner.all) > 0 {
		t.Error("a function was started for a caller who may not invoke it")
	}
	if _, err := s.AddPermission(t.Context(), Grant{Function: "f", StatementID: "s", Action: "lambda:InvokeFunction", Principal: "iot.amazonaws.com"}); err != nil {
		t.Fatal(err)
	}
	warm := func(want string) {
		t.Helper()
		s.warming.Wait()
		waitFor(t, "one process, which has nothing to do", func() bool {
			s.runner.mu.Lock()
			defer s.runner.mu.Unlock()
			return len(s.runner.all) == 1 && s.runner.inUse["f"] == 0
		})
		began := len(s.runner.all)
		res, err := s.Invoke(t.Context(), Request{FunctionARN: "f", Caller: caller})
		if err != nil || string(res.Payload) != `"`+want+`"` || began != 1 || len(s.runner.all) != 1 {
			t.Errorf("%s %s %v; %d processes before, %d after", res.Outcome, res.Payload, err, began, len(s.runner.all))
		}
	}
	warm("1")
	if _, err := s.UpdateCode(t.Context(), "f", zipOf(t, js("2")), nil, "", false, false); err != nil {
		t.Fatal(err)
	}
	warm("2")
	old := s.runner.takeIdle(func(_ *process, last bool) bool { return !last })
	if len(old) != 0 {
		t.Errorf("%d processes too many", len(old))
	}
	s.KeepWarm(nil)
	s.warming.Wait()
	if len(s.runner.kept) != 0 {
		t.Errorf("kept %v", s.runner.kept)
	}
}

var discard = slog.New(slog.DiscardHandler)
