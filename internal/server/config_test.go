package server

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestConfigNamesTheFlagAtFault(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"url as endpoint":     {func(c *Config) { c.Endpoint = "https://gw.example.com/" }, "--endpoint \"https://gw.example.com/\" is not a host name that a device can use: give the bare name"},
		"address as endpoint": {func(c *Config) { c.Endpoint = "10.0.0.7" }, "an IP address can't be sent as SNI"},
		"port in endpoint":    {func(c *Config) { c.Endpoint = "gw.example.com:8883" }, "without a port"},
		"space in endpoint":   {func(c *Config) { c.Endpoint = "my gateway" }, `label "my gateway"`},
		"empty endpoint":      {func(c *Config) { c.Endpoint = "" }, "it is empty"},
		"port out of range":   {func(c *Config) { c.MQTTPort = 70000 }, "--mqtt-port 70000 is not a port"},
		"same port twice":     {func(c *Config) { c.HTTPSPort = c.MQTTPort }, "--mqtt-port and --https-port are both 8883"},
		"account":             {func(c *Config) { c.AccountID = "123" }, "--account-id \"123\" is not 12 digits"},
		"region":              {func(c *Config) { c.Region = "Frankfurt" }, "--region \"Frankfurt\""},
		"durability":          {func(c *Config) { c.Durability = "never" }, `--durability: durability "never"`},
		"limits":              {func(c *Config) { c.Limits = "none" }, "--limits \"none\" is none of aws open"},
		"security policy":     {func(c *Config) { c.SecurityPolicy = "TLS13" }, "--security-policy \"TLS13\""},
		"refusals":            {func(c *Config) { c.Refusals = "loud" }, "--refusals \"loud\""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			tt.change(&cfg)
			if err := cfg.check(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("check() = %v, want it to contain %q", err, tt.want)
			}
		})
	}
	cfg := DefaultConfig()
	if err := cfg.check(); err != nil {
		t.Errorf("the default configuration: %v", err)
	}
}

func TestListenNamesWhoHasThePort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = listen(t.Context(), "127.0.0.1", portOf(ln), "--mqtt-port")
	busy, ok := errors.AsType[*PortError](err)
	if !ok {
		t.Fatalf("listen on a taken port: %v, want a *PortError", err)
	}
	for _, want := range []string{strconv.Itoa(portOf(ln)), "--mqtt-port", "pid " + strconv.Itoa(os.Getpid())} {
		if !strings.Contains(busy.Error(), want) {
			t.Errorf("%q does not name %q", busy, want)
		}
	}
}

func TestDataDirIsHeldByOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := openDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := (RunFile{PID: 77, APIURL: "http://127.0.0.1:1"}).write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(dir); err == nil || !strings.Contains(err.Error(), "pid 77") {
		t.Errorf("second openDataDir = %v, want a refusal that names pid 77", err)
	}
	_ = first.close()
	again, err := openDataDir(dir)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	_ = again.close()
	if info, err := os.Stat(filepath.Join(dir, RunFileName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("run file: %v, mode %v, want 0600", err, info.Mode().Perm())
	}
}

func TestFindRunning(t *testing.T) {
	dir := t.TempDir()
	if _, err := FindRunning(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a run file: %v, want ErrNotRunning", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// The pid is that of a process that lives: a killed server's may belong to another by now.
	want := RunFile{PID: os.Getpid(), APIURL: "http://" + ln.Addr().String()}
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	if rf, err := FindRunning(t.Context(), dir); err != nil || rf != want {
		t.Errorf("FindRunning = %+v, %v, want %+v", rf, err, want)
	}
	ln.Close()
	if _, err := FindRunning(t.Context(), dir); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), want.APIURL) {
		t.Errorf("after a kill: %v, want ErrNotRunning that names %s", err, want.APIURL)
	}
	if err := os.WriteFile(filepath.Join(dir, RunFileName), []byte(`{"pid":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindRunning(t.Context(), dir); err == nil || errors.Is(err, ErrNotRunning) {
		t.Errorf("a run file without address: %v, want an error of its own", err)
	}
}

func TestStartForgetsWhatAKilledServerLeft(t *testing.T) {
	dir, err := openDataDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	for range 2 { // also when there is nothing to forget
		if err := dir.forgetRun(); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRunFile(dir.path); !errors.Is(err, ErrNotRunning) {
			t.Errorf("run file after forgetRun: %v", err)
		}
		if err := (RunFile{PID: 77}).write(dir.path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDataDirThatOthersMayWrite(t *testing.T) {
	for mode, want := range map[os.FileMode]os.FileMode{0o700: 0, 0o755: 0, 0o775: 0o775, 0o777: 0o777} {
		path := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		dir, err := openDataDir(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := dir.openToOthers(); got != want {
			t.Errorf("openToOthers of mode %v = %v, want %v", mode, got, want)
		}
		dir.close()
	}
}

func TestDataDirThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openDataDir(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("openDataDir(%s) = %v, want an error that names it", path, err)
	}
}

func TestRoomLeavesDescriptorsForTheRest(t *testing.T) {
	for descriptors, want := range map[uint64]int{1: 1, 100: 50, 1024: 512, 4096: 3328, 1 << 20: 500_000, 1<<64 - 1: 500_000} {
		if got := roomWithin(descriptors); got != want {
			t.Errorf("roomWithin(%d) = %d, want %d", descriptors, got, want)
		}
	}
}
