package function

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInterpreter: a machine without the program for a runtime says which one is
// missing, or why the one that is there will not do; once it is installed, it is found.
func TestInterpreter(t *testing.T) {
	empty, broken, closed, good := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	script := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"node", "python3"} {
		script(broken, name, "exit 3\n")
		script(closed, name, "echo \"$0\"\n")
		script(good, name, "echo \"$0\"\n")
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		runtime string
		folders []string
		ownUser bool
		says    string // of the error; "" for none
	}{
		"no node":                  {"nodejs20.x", []string{empty}, false, "the runtime nodejs20.x needs node, and no folder of PATH holds it"},
		"no python":                {"python3.12", []string{empty}, false, "the runtime python3.12 needs python3, and no folder of PATH holds it"},
		"a node that does not run": {"nodejs20.x", []string{broken}, false, filepath.Join(broken, "node") + " does not start: exit status 3"},
		"closed to other users":    {"nodejs20.x", []string{closed}, true, "closed to other users, as which functions run"},
		"the second will do":       {"python3.12", []string{empty, broken, good}, false, ""},
		"closed, but ours":         {"nodejs20.x", []string{closed}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := interpreters{ownUser: tt.ownUser, folders: tt.folders}
			i, err := f.find(t.Context(), tt.runtime)
			switch {
			case tt.says == "" && (err != nil || i.path == ""):
				t.Errorf("not found: %v", err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("found %q, error %v; want %q", i.path, err, tt.says)
			}
		})
	}
}
