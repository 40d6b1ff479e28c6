// Package gatehouseproc runs the real gatehouse binary as a process of its own,
// for tests that need what only a process has: signals, a data folder that
// outlives it, an environment for other programs.
package gatehouseproc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// Build compiles cmd/gatehouse once for the whole test binary and answers its path. It is the same one for
// all test binaries of a clone: no run leaves one more behind, and one that is up to date is not linked again.
var Build = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	_, clone, _, _ := runtime.Caller(0)
	dir := filepath.Join(cache, "gatehouse-test", fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(clone))))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "gatehouse")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/gatehouse-iot/gatehouse/cmd/gatehouse").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

// A Process is one running gatehouse.
type Process struct {
	Bin     string // the binary
	DataDir string
	server.RunFile

	cmd    *exec.Cmd
	output *syncBuffer
	exited chan struct{}
}

// Start runs `gatehouse up` on ports that the kernel chooses and waits until it
// is ready. flags are added to the command line. The process is stopped when
// the test ends.
func Start(t testing.TB, flags ...string) *Process {
	t.Helper()
	return StartIn(t, filepath.Join(t.TempDir(), "data"), flags...)
}

// StartIn is Start on a data folder that may have been used before.
func StartIn(t testing.TB, dataDir string, flags ...string) *Process {
	t.Helper()
	p, err := Launch(dataDir, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop()
		if t.Failed() {
			t.Logf("gatehouse printed:\n%s", p.Output())
		}
	})
	return p
}

// Launch is [StartIn] for programs that are no tests: the caller stops the process.
func Launch(dataDir string, flags ...string) (*Process, error) {
	bin, err := Build()
	if err != nil {
		return nil, err
	}
	p := &Process{Bin: bin, DataDir: dataDir, output: &syncBuffer{}, exited: make(chan struct{})}
	args := append([]string{
		"up", "--data-dir", dataDir, "--mqtt-port", "0", "--https-port", "0", "--alpn-port", "0", "--api-port", "0",
	}, flags...)
	p.cmd = exec.Command(bin, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	deadline := time.Now().Add(30 * time.Second)
	for {
		if rf, err := server.ReadRunFile(dataDir); err == nil && rf.PID == p.cmd.Process.Pid {
			p.RunFile = rf
			return p, nil
		}
		select {
		case <-p.exited:
			return nil, fmt.Errorf("gatehouse up ended before it was ready:\n%s", p.Output())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.Kill()
			return nil, fmt.Errorf("gatehouse up is not ready after 30 s:\n%s", p.Output())
		}
	}
}

// Output is what the process printed so far.
func (p *Process) Output() string { return p.output.String() }

// Stop ends the process cleanly and waits for it; a process that ended is left alone.
func (p *Process) Stop() { p.signal(syscall.SIGTERM) }

// Kill ends the process as a power cut does, and waits.
func (p *Process) Kill() { p.signal(syscall.SIGKILL) }

func (p *Process) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// Environ is the environment of a shell after `eval "$(gatehouse env)"`.
func (p *Process) Environ() []string {
	env := []string{
		"AWS_ENDPOINT_URL=" + p.APIURL, "AWS_ACCESS_KEY_ID=" + p.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + p.SecretAccessKey,
		"AWS_REGION=" + p.Region, "AWS_DEFAULT_REGION=" + p.Region, "AWS_DISABLE_HOST_PREFIX_INJECTION=true", "GATEHOUSE_DATA_DIR=" + p.DataDir,
		"AWS_PAGER=", "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true",
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "AWS_") && !strings.HasPrefix(kv, "GATEHOUSE_") {
			env = append(env, kv)
		}
	}
	return env
}

// Run runs a command in p's environment, with the gatehouse binary on its PATH,
// and answers its standard output and error. The error is the command's exit.
func (p *Process) Run(ctx context.Context, dir, name string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	if name == "gatehouse" {
		cmd = exec.CommandContext(ctx, p.Bin, args...)
	}
	cmd.Dir = dir
	cmd.Env = append(p.Environ(), "PATH="+filepath.Dir(p.Bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// MustRun is Run for a command that has to succeed.
func (p *Process) MustRun(t testing.TB, name string, args ...string) string {
	t.Helper()
	stdout, stderr, err := p.Run(context.Background(), "", name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// JSON runs a command that prints JSON and decodes it into into.
func (p *Process) JSON(t testing.TB, into any, name string, args ...string) {
	t.Helper()
	out := p.MustRun(t, name, args...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%s %s printed no JSON: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// A Device is what `gatehouse device add -o json` made.
type Device struct {
	ThingName       string   `json:"thingName"`
	CertificateID   string   `json:"certificateId"`
	CertificateARN  string   `json:"certificateArn"`
	PolicyName      string   `json:"policyName"`
	CertificateFile string   `json:"certificateFile"`
	PrivateKeyFile  string   `json:"privateKeyFile"`
	CAFile          string   `json:"caFile"`
	Topics          []string `json:"topics"`
}

// AddDevice makes a device with its files in a temporary folder.
func (p *Process) AddDevice(t testing.TB, name string, flags ...string) Device {
	t.Helper()
	var d Device
	p.JSON(t, &d, "gatehouse", append([]string{"-o", "json", "device", "add", name, "--out", t.TempDir()}, flags...)...)
	return d
}

// Need skips the test loudly when a real client is missing; in CI it fails.
func Need(t testing.TB, command string) {
	t.Helper()
	_, err := exec.LookPath(command)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is missing: make test-deps installs it", command)
	default:
		t.Skipf("SKIPPED: %s is missing; make test-deps installs it", command)
	}
}

// ExitCode is a command's exit code, or -1 when it did not run.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if ee, ok := errors.AsType[*exec.ExitError](err); ok {
		return ee.ExitCode()
	}
	return -1
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
