package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-iot/gatehouse/internal/server"
)

// TestMain lets scripts run this test binary as the command gatehouse.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "gatehouse" {
		main()
	}
	os.Exit(m.Run())
}

// TestCommandScripts runs the scripts of testdata/cli, in which gatehouse is a
// process of its own, with an environment and a folder of its own. Further commands:
//
//	exits CODE ARGS...   run gatehouse, fail if it ends with another exit code
//	ready DIR            wait until the Gatehouse in the background serves on data folder DIR
//	narrow FILE          fail if a line of FILE is longer than 80 columns
//	mode FILE OCTAL      fail if FILE has other permissions
func TestCommandScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/cli",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			self, err := os.Executable()
			if err != nil {
				return err
			}
			bin := t.TempDir()
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return os.Symlink(self, filepath.Join(bin, "gatehouse"))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":  scriptExits,
			"ready":  scriptReady,
			"narrow": scriptNarrow,
			"mode": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[1] {
					ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
				}
			},
		},
	})
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, err := 0, ts.Exec("gatehouse", args[1:]...)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		got = ended.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("gatehouse %s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func scriptReady(ts *testscript.TestScript, _ bool, args []string) {
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		var rf server.RunFile
		if rf, err = server.ReadRunFile(ts.MkAbs(args[0])); err == nil {
			ts.Setenv("MQTT_PORT", strconv.Itoa(rf.Ports.MQTT))
			ts.Setenv("API_URL", rf.APIURL)
			ts.Setenv("KEY_ID", rf.AccessKeyID)
			ts.Setenv("SECRET", rf.SecretAccessKey)
			return
		}
	}
	ts.Fatalf("not ready after 30 s: %v", err)
}

func scriptNarrow(ts *testscript.TestScript, _ bool, args []string) {
	for i, line := range strings.Split(ts.ReadFile(args[0]), "\n") {
		if strings.Contains(line, ts.Getenv("WORK")) {
			continue // a test's folder is longer than a person's
		}
		if n := len([]rune(line)); n > 80 {
			ts.Fatalf("%s line %d has %d columns: %s", filepath.Base(args[0]), i+1, n, line)
		}
	}
}
