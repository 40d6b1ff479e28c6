package function

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A language is how a runtime's handlers are run.
type language uint8

const (
	unknownLanguage language = iota
	provided                 // the code's own program "bootstrap"
	node
	python
)

// languageOf tells the language of an AWS runtime; unknownLanguage for those
// that Gatehouse has nothing to run with.
func languageOf(runtime string) language {
	switch {
	case runtime == "provided.al2023", runtime == "provided.al2":
		return provided
	case strings.HasPrefix(runtime, "nodejs"):
		return node
	case strings.HasPrefix(runtime, "python3"):
		return python
	}
	return unknownLanguage
}

// An interpreter is a program of this machine that runs handlers.
type interpreter struct {
	path     string
	readable []string // what it needs of the file system beside the system's own folders
}

// interpreters finds the machine's programs, each once.
type interpreters struct {
	ownUser bool     // the function's user is not ours: what we can reach, it may not
	folders []string // where they are looked for, in this order

	mu    sync.Mutex
	found map[string]interpreter // by runtime; guarded by mu
}

// programFolders are those of PATH, and where programs are on every system.
func programFolders() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin", "/bin")
}

// interpreterTime bounds how long a candidate may take to tell its real path.
const interpreterTime = 5 * time.Second

// find returns the program for a runtime. The error says which programs were
// looked at and why none will do.
func (f *interpreters) find(ctx context.Context, runtime string) (interpreter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i, ok := f.found[runtime]; ok {
		return i, nil
	}
	program, names, ask := "node", []string{"node", "nodejs"}, []string{"-p", `process.execPath+"\n"`}
	if languageOf(runtime) == python {
		program, names, ask = "python3", []string{runtime, "python3"}, []string{"-I", "-c", "import sys;print(sys.executable);print(sys.prefix);print(sys.base_prefix)"}
	}
	var reasons []string
	for _, name := range names {
		for _, dir := range f.folders {
			candidate := filepath.Join(dir, name)
			if info, err := os.Stat(candidate); err != nil || info.IsDir() || !filepath.IsAbs(candidate) {
				continue
			}
			i, err := f.look(ctx, candidate, ask)
			if err == nil {
				if f.found == nil {
					f.found = map[string]interpreter{}
				}
				f.found[runtime] = i
				return i, nil
			}
			if reason := err.Error(); !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
		}
	}
	if len(reasons) == 0 {
		return interpreter{}, fmt.Errorf("the runtime %s needs %s, and no folder of PATH holds it: install it and invoke again", runtime, program)
	}
	return interpreter{}, fmt.Errorf("the runtime %s can use none of this machine's programs: %s", runtime, strings.Join(reasons, "; "))
}

// look asks a candidate, which may be a shim or a link, what it really is.
func (f *interpreters) look(ctx context.Context, candidate string, ask []string) (interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, interpreterTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, candidate, ask...).Output()
	if err != nil {
		return interpreter{}, fmt.Errorf("%s does not start: %w", candidate, err)
	}
	paths := strings.Fields(string(out))
	if len(paths) == 0 {
		return interpreter{}, fmt.Errorf("%s does not tell what it is", candidate)
	}
	for n, p := range paths {
		if paths[n], err = filepath.EvalSymlinks(p); err != nil {
			return interpreter{}, err
		}
		if f.ownUser {
			if err := openToAll(paths[n]); err != nil {
				return interpreter{}, err
			}
		}
	}
	return interpreter{path: paths[0], readable: slices.Compact(paths)}, nil
}

// openToAll says why somebody else may not use path, or nil.
func openToAll(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o005 != 0o005 {
		return fmt.Errorf("%s is closed to other users, as which functions run", path)
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("%s is in %s, which is closed to other users, as which functions run", path, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

var errUnknownRuntime = errors.New("Gatehouse runs nodejs*, python3*, provided.al2 and provided.al2023")
