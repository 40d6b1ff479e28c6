package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// upFails runs `gatehouse up` with flags that it has to refuse with exit code 2.
func upFails(t *testing.T, flags ...string) string {
	t.Helper()
	bin, err := gatehouseproc.Build()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, append([]string{"up"}, flags...)...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if code := gatehouseproc.ExitCode(err); code != 2 {
		t.Fatalf("gatehouse up %v: exit %d, want 2\n%s", flags, code, out)
	}
	return string(out)
}

func freePorts() []string {
	return []string{"--mqtt-port", "0", "--https-port", "0", "--alpn-port", "0", "--api-port", "0"}
}

func TestUpRefusesWrongInputs(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)

	file := filepath.Join(t.TempDir(), "a-file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "gatehouse.yaml")
	if err := os.WriteFile(config, []byte("mqtt-prot: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		flags []string
		want  []string
	}{
		"endpoint is a URL":        {[]string{"--endpoint", "https://gw/"}, []string{"--endpoint", "bare name"}},
		"endpoint is an address":   {[]string{"--endpoint", "10.0.0.1"}, []string{"--endpoint", "SNI"}},
		"endpoint with underscore": {[]string{"--endpoint", "my_gateway.local"}, []string{"--endpoint", "my_gateway"}},
		"data folder below a file": {append(freePorts(), "--data-dir", file+"/data"), []string{file}},
		"data folder is a file":    {append(freePorts(), "--data-dir", file), []string{file}},
		"port in use":              {append(freePorts(), "--mqtt-port", port), []string{port, "--mqtt-port", "pid " + strconv.Itoa(os.Getpid()), "hint:"}},
		"port out of range":        {[]string{"--mqtt-port", "99999"}, []string{"--mqtt-port"}},
		"unknown flag":             {[]string{"--prot", "1"}, []string{"--prot"}},
		"unknown configuration":    {[]string{"--config", config}, []string{"mqtt-prot"}},
		"not built: PostgreSQL":    {[]string{"--database", "postgres://x"}, []string{"--database", "not built yet"}},
		"not built: cluster":       {[]string{"--nats", "nats://x"}, []string{"--nats", "not built yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := upFails(t, tt.flags...)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("gatehouse up %v printed\n%s\nwant it to say %q", tt.flags, out, want)
				}
			}
		})
	}
}

func TestUpOnAFolderThatCannotBeWritten(t *testing.T) {
	if os.Getuid() == 0 {
		// Root may write everywhere; /proc is where even root may not.
		out := upFails(t, append(freePorts(), "--data-dir", "/proc/gatehouse")...)
		if !strings.Contains(out, "/proc/gatehouse") {
			t.Errorf("printed\n%s\nwant it to name the folder", out)
		}
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	out := upFails(t, append(freePorts(), "--data-dir", filepath.Join(dir, "data"))...)
	if !strings.Contains(out, dir) || !strings.Contains(out, "--data-dir") {
		t.Errorf("printed\n%s\nwant it to name the folder and the flag", out)
	}
}

// A damaged database is reported with its name and left as it is.
func TestUpOnADamagedDatabase(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir)
	gw.AddDevice(t, "before-the-damage")
	gw.Stop()
	path := filepath.Join(dir, "registry.db")
	damaged := []byte(strings.Repeat("this is no database ", 1000))
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	out := upFails(t, append(freePorts(), "--data-dir", dir)...)
	if !strings.Contains(out, path) {
		t.Errorf("printed\n%s\nwant it to name %s", out, path)
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != string(damaged) {
		t.Errorf("the damaged file was changed (%v): it must stay for a repair", err)
	}
}

// Two servers never share a folder, and a clean stop removes gatehouse.json.
func TestUpTwiceAndStop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	gw := gatehouseproc.StartIn(t, dir)
	if out := upFails(t, append(freePorts(), "--data-dir", dir)...); !strings.Contains(out, "pid "+strconv.Itoa(gw.PID)) {
		t.Errorf("printed\n%s\nwant it to name pid %d", out, gw.PID)
	}
	info, err := os.Stat(filepath.Join(dir, "gatehouse.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("gatehouse.json: %v, mode %v, want 0600", err, info.Mode())
	}
	gw.Stop()
	if _, err := os.Stat(filepath.Join(dir, "gatehouse.json")); !os.IsNotExist(err) {
		t.Errorf("gatehouse.json after a clean stop: %v, want it gone", err)
	}
	secret := regexp.MustCompile(regexp.QuoteMeta(gw.SecretAccessKey))
	if secret.MatchString(gw.Output()) {
		t.Error("the secret access key is in the output of up")
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && filepath.Ext(path) != ".pem" {
			t.Errorf("%s has mode %v: others may read it", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
