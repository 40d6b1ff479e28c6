package function

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestHostileFunctions has a function do what issue 6 names, and looks at the
// answer, at the function's next invocation, and at what a well-behaved function
// notices of it.
func TestHostileFunctions(t *testing.T) {
	s := newService(t)
	create(t, s, "hostile", "provided.al2023", "bootstrap", goProgram(t, "hostile"), timeout(2))
	create(t, s, "good", "provided.al2023", "bootstrap", goProgram(t, "hostile"), timeout(10))
	invoke(t, s, "good", `{}`)
	for _, tt := range []struct {
		mode    string
		outcome Outcome
		payload string // in it
		log     string // in the tail
		next    string // payload of the next invocation of the same function
	}{
		{"children", Succeeded, "", "", `"ok "`},
		{"large", ResponseTooLarge, "Function.ResponseSizeTooLarge", "", ``},
		{"chatter", TimedOut, "Task timed out after 2.00 seconds", "the rest of this invocation's output is dropped", `"ok "`},
		{"one line", TimedOut, "Task timed out after 2.00 seconds", "the rest of this invocation's output is dropped", `"ok "`},
		{"close", Succeeded, `"closed"`, "", `"ok "`},
		{"sigterm", TimedOut, "Task timed out after 2.00 seconds", "Task timed out after 2.00 seconds", `"ok "`},
		{"twice", Succeeded, `"first"`, "", `"ok 403"`},
		{"wrong id", Succeeded, `"400"`, "", ``},
		{"crash after", Succeeded, `"done"`, "", `"ok "`},
		{"exit", Exited, `Error: Runtime exited with error: exit status 3`, "", `"ok "`},
		{"hang after", Succeeded, `"done"`, "", `"ok "`},
		{"next twice", Succeeded, `403`, "", `"ok "`},
		{"memory", OutOfMemory, `Runtime.ExitError`, "used more than its memory size", `"ok "`},
		{"connections", Succeeded, `"done"`, "", ``},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			latency := make(chan time.Duration, 1)
			stop := make(chan struct{})
			go func() { latency <- worst(t, s, stop) }()
			res := invoke(t, s, "hostile", fmt.Sprintf(`{"mode":%q}`, tt.mode))
			close(stop)
			if most := <-latency; most > time.Second { // the machine of a test may be busy with others
				t.Errorf("meanwhile the good function took up to %s", most)
			}
			if res.Outcome != tt.outcome || !strings.Contains(string(res.Payload), tt.payload) {
				t.Fatalf("%s: %s %s, want %s %s\n%s", tt.mode, res.Outcome, res.Payload, tt.outcome, tt.payload, res.Log)
			}
			if !strings.Contains(string(res.Log), tt.log) {
				t.Errorf("log %q, want %q in it", res.Log, tt.log)
			}
			if res = invoke(t, s, "hostile", `{}`); res.Outcome != Succeeded || tt.next != "" && string(res.Payload) != tt.next {
				t.Errorf("next invocation: %s %s, want %s\n%s", res.Outcome, res.Payload, tt.next, res.Log)
			}
		})
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 200<<20 {
		t.Errorf("our heap holds %d MB", m.HeapAlloc>>20)
	}
	// Whatever the function started ends with it, also outside of its process group.
	waitFor(t, "children of the hostile function to end", func() bool {
		return !slices.ContainsFunc(processes(t), func(args string) bool { return strings.HasPrefix(args, "/proc/self/exe\x00child") })
	})
}

// worst invokes the good function until stop and returns its longest time.
func worst(t *testing.T, s *Service, stop <-chan struct{}) (most time.Duration) {
	for {
		began := time.Now()
		res, err := s.Invoke(t.Context(), Request{FunctionARN: "good", Payload: []byte(`{}`)})
		if err != nil || res.Outcome != Succeeded {
			t.Errorf("the good function: %s %v", res.Outcome, err)
		}
		most = max(most, time.Since(began))
		select {
		case <-stop:
			return most
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// processes returns the command lines of all processes.
func processes(t *testing.T) (out []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if text, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline")); err == nil {
			out = append(out, string(text))
		}
	}
	return out
}

// TestPrivileges looks at the sandbox from within.
func TestPrivileges(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_SECRET", "hunter2")
	s := newService(t)
	create(t, s, "spy", "provided.al2023", "bootstrap", goProgram(t, "hostile"))
	create(t, s, "other", "provided.al2023", "bootstrap", goProgram(t, "hostile"))
	invoke(t, s, "other", `{}`)
	ask := func(mode, path string) string {
		t.Helper()
		res := invoke(t, s, "spy", fmt.Sprintf(`{"mode":%q,"path":%q}`, mode, path))
		if res.Outcome != Succeeded {
			t.Fatalf("%s: %s %s", mode, res.Outcome, res.Payload)
		}
		return string(res.Payload)
	}
	var who struct {
		UID, GID int
		Env, Fds []string
	}
	if err := json.Unmarshal([]byte(ask("who", "")), &who); err != nil {
		t.Fatal(err)
	}
	for _, v := range who.Env {
		if strings.Contains(v, "hunter2") || strings.Contains(v, "GATEHOUSE") {
			t.Errorf("it inherited %s", v)
		}
	}
	for _, fd := range who.Fds {
		if !strings.HasPrefix(fd, "socket:") && !strings.HasPrefix(fd, "pipe:") && !strings.HasPrefix(fd, "anon_inode:") && !strings.HasPrefix(fd, "/proc/") && !strings.HasPrefix(fd, "/sys/fs/cgroup/") && fd != "/dev/null" && fd != "" {
			t.Errorf("it has %s open", fd)
		}
	}
	report := s.runner.box.Report
	t.Logf("sandbox: %+v", report)
	if report.OwnUser && who.UID == os.Getuid() {
		t.Errorf("it runs as our user %d", who.UID)
	}
	if !report.OwnUser && report.Landlock == 0 && !report.Namespaces {
		t.Skip("nothing on this machine keeps files from functions")
	}
	for _, path := range []string{filepath.Join(s.cfg.DataDir, dataFolder, rowsFile), "/etc/shadow", filepath.Join(s.runDir, "code-1", "bootstrap")} {
		if got := ask("read", path); !strings.HasPrefix(got, `"refused: `) {
			t.Errorf("it read %s: %.60q", path, got)
		}
	}
	for _, path := range []string{filepath.Join(s.runDir, "code-0", "bootstrap"), filepath.Join(s.runDir, "code-0", "new"), filepath.Join(s.runDir, "scratch-63", "x"), "/var/tmp/x", "/usr/x"} {
		if got := ask("write", path); got == `"\u003cnil\u003e"` || got == `"<nil>"` {
			t.Errorf("it wrote %s", path)
		}
	}
	if report.Namespaces {
		if got := ask("write", "/tmp/mine"); !strings.Contains(got, "nil") {
			t.Errorf("it could not write to its own /tmp: %s", got)
		}
		if got := ask("list", "/tmp"); got != `"[mine] \u003cnil\u003e"` {
			t.Errorf("its /tmp holds %s", got)
		}
	}
}

// TestRuntimeAPIOfAnother tries to take another process's work.
func TestRuntimeAPIOfAnother(t *testing.T) {
	s := newService(t)
	create(t, s, "victim", "provided.al2023", "bootstrap", goProgram(t, "hostile"))
	invoke(t, s, "victim", `{}`)
	s.runner.mu.Lock()
	var host string
	for p := range s.runner.all {
		host, _, _ = strings.Cut(p.api.host, "/")
	}
	s.runner.mu.Unlock()
	for _, path := range []string{"/2018-06-01/runtime/invocation/next", "/00000000000000000000000000000000/2018-06-01/runtime/invocation/next"} {
		resp, err := http.Get("http://" + host + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("GET %s: %s", path, resp.Status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
