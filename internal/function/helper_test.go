package function

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

const testAccount = "123456789012"

// newService opens a service in a folder of its own.
func newService(t testing.TB, change ...func(*Config)) *Service {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("functions run on Linux only")
	}
	cfg := Config{DataDir: t.TempDir(), AccountID: testAccount, Partition: "aws", Region: "us-east-1", Logs: newMemoryLog()}
	for _, c := range change {
		c(&cfg)
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// zipOf packs files by name; bootstrap is executable.
func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o644)
		if name == "bootstrap" {
			h.SetMode(0o755)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// needs skips the test where the program is not installed.
func needs(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
}

func create(t testing.TB, s *Service, name, runtime, handler string, files map[string]string, change ...func(*NewFunction)) {
	t.Helper()
	switch languageOf(runtime) {
	case node:
		needs(t, "node")
	case python:
		needs(t, "python3")
	default:
	}
	timeout := 20 // a loaded machine starts slowly; tests of the timeout set their own
	in := NewFunction{Name: name, Settings: Settings{Runtime: &runtime, Handler: &handler, Timeout: &timeout}, Zip: zipOf(t, files)}
	for _, c := range change {
		c(&in)
	}
	if _, err := s.Create(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func timeout(seconds int) func(*NewFunction) {
	return func(in *NewFunction) { in.Timeout = &seconds }
}

func invoke(t testing.TB, s *Service, name, payload string) Result {
	t.Helper()
	res, err := s.Invoke(t.Context(), Request{FunctionARN: name, Payload: []byte(payload), Tail: true})
	if err != nil {
		t.Fatalf("invoke %s: %v", name, err)
	}
	return res
}

// memoryLog keeps events in memory.
type memoryLog struct {
	mu     sync.Mutex
	events map[string][]string // by group and stream
}

func newMemoryLog() *memoryLog { return &memoryLog{events: map[string][]string{}} }

// NewStream implements [Log].
func (l *memoryLog) NewStream(group, stream string) (LogStream, error) {
	return memoryStream{l, group + " " + stream}, nil
}

type memoryStream struct {
	l    *memoryLog
	name string
}

// Append implements [LogStream].
func (s memoryStream) Append(_ int64, message []byte) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.events[s.name] = append(s.l.events[s.name], string(message))
}

// Wait implements [LogStream].
func (s memoryStream) Wait() {}

// Close implements [LogStream].
func (s memoryStream) Close() error { return nil }

// goProgram builds a Go program of testdata, once, into a bootstrap.
func goProgram(t testing.TB, name string) map[string]string {
	t.Helper()
	needs(t, "go")
	built.mu.Lock()
	defer built.mu.Unlock()
	if text, ok := built.text[name]; ok {
		return map[string]string{"bootstrap": text}
	}
	out := filepath.Join(t.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-o", out, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	built.text[name] = string(text)
	return map[string]string{"bootstrap": string(text)}
}

var built = struct {
	mu   sync.Mutex
	text map[string]string
}{text: map[string]string{}}

const patience = 30 * time.Second
