package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// TestPolicyScripts runs the scripts of testdata/policy. The command
//
//	gatehouse EXITCODE [<FILE] ARGS...
//
// runs the program in process and fails if it ends with another exit code.
func TestPolicyScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/policy",
		RequireExplicitExec: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"gatehouse": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				stdin := ""
				args = args[1:]
				if file, ok := strings.CutPrefix(args[0], "<"); ok {
					stdin, args = ts.ReadFile(file), args[1:]
				}
				for i, arg := range args {
					if strings.HasSuffix(arg, ".json") {
						args[i] = ts.MkAbs(arg)
					}
				}
				if got := run(args, strings.NewReader(stdin), ts.Stdout(), ts.Stderr()); got != want {
					ts.Fatalf("gatehouse %s: exit code %d, want %d", strings.Join(args, " "), got, want)
				}
			},
			// longline FILE writes a line beyond the limit and a good one.
			"longline": func(ts *testscript.TestScript, _ bool, args []string) {
				good := `{"action":"iot:Connect","resource":"*"}` + "\n"
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(`{"action":"`+strings.Repeat("x", 2<<20)+`"}`+"\n"+good), 0o600))
			},
		},
	})
}

// TestSimulateStreams: an answer comes before the next request is sent, and
// the last line needs no line end.
func TestSimulateStreams(t *testing.T) {
	in, requests, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() {
		done <- run([]string{"policy", "simulate"}, in, out, os.Stderr)
		out.Close()
	}()
	buf := make([]byte, 4096)
	for i := range 3 {
		end := "\n"
		if i == 2 {
			end = ""
		}
		if _, err := requests.WriteString(`{"action":"iot:Connect","resource":"*"}` + end); err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			requests.Close()
		}
		n, err := answers.Read(buf)
		if err != nil || !bytes.HasPrefix(buf[:n], []byte(`{"decision":"IMPLICIT_DENY"`)) {
			t.Fatalf("answer %d: %q, %v", i, buf[:n], err)
		}
	}
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

var (
	docFile    = regexp.MustCompile("(?ms)^```json title=(\\S+)\n(.*?)^```$")
	docConsole = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
)

// TestPolicyGuide runs every command of docs/policy.md and compares what the
// guide shows.
func TestPolicyGuide(t *testing.T) {
	guide, err := filepath.Abs("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, m := range docFile.FindAllSubmatch(text, -1) {
		if err := os.WriteFile(string(m[1]), m[2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	blocks := docConsole.FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("the guide has no console block")
	}
	got := docConsole.ReplaceAllFunc(text, func(block []byte) []byte {
		command, _, _ := strings.Cut(string(docConsole.FindSubmatch(block)[1]), "\n")
		words := strings.Fields(strings.TrimPrefix(command, "$ gatehouse "))
		var stdin []byte
		if n := len(words); n > 2 && words[n-2] == "<" {
			if stdin, err = os.ReadFile(words[n-1]); err != nil {
				t.Fatal(err)
			}
			words = words[:n-2]
		}
		var out bytes.Buffer
		code := run(words, bytes.NewReader(stdin), &out, &out)
		return []byte("```console\n" + command + "\n" + out.String() + "# exit code " + strconv.Itoa(code) + "\n```")
	})
	golden.File(t, guide, string(got))
}
