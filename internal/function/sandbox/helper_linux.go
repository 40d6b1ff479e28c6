package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// helperName is the first argument of the program when it is the helper.
const helperName = "gatehouse-function"

// spec is what the helper has to do: JSON, on its descriptor 3.
type spec struct {
	Path       string
	Args, Env  []string
	Dir        string
	User       int // and its group; 0: stay who we are
	CodeGroup  int // one more group
	Namespaces bool
	Readable   []string
	Scratch    string
	Hide       []string
	MostBytes  uint64
	Probe      bool
}

// init takes over when this process was started as the helper: it may be any
// program that Gatehouse is linked into, a test too, and none of its own code
// may run first.
func init() {
	if len(os.Args) == 0 || os.Args[0] != helperName {
		return
	}
	err := help()
	fmt.Fprintln(os.Stderr, "gatehouse: the function's sandbox failed:", err)
	os.Exit(126)
}

// help takes everything away and becomes the program. It returns only on failure.
func help() error {
	in := os.NewFile(3, "spec")
	text, err := io.ReadAll(io.LimitReader(in, 4<<20))
	if err != nil {
		return err
	}
	in.Close()
	var s spec
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("close descriptors: %w", err)
	}
	syscall.Umask(0o077)
	if s.Namespaces {
		if err := s.mount(); err != nil {
			return err
		}
	}
	if err := s.limit(); err != nil {
		return err
	}
	if s.User != 0 {
		if err := s.become(); err != nil {
			return err
		}
	}
	if err := os.Chdir(s.Dir); err != nil {
		return err
	}
	if err := s.restrictFiles(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if s.Probe {
		abi, err := landlocksys.LandlockGetABIVersion()
		if err != nil {
			abi = 0
		}
		fmt.Fprint(os.Stdout, abi)
		os.Exit(0)
	}
	if err := syscall.Exec(s.Path, s.Args, s.Env); err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	return nil
}

// mount makes /proc show the process's own processes only, /tmp its scratch
// folder, and the hidden folders empty.
func (s *spec) mount() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, dir := range s.Hide {
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "size=4k,mode=000"); err != nil {
			return fmt.Errorf("hide %s: %w", dir, err)
		}
	}
	if s.Scratch != "" && !strings.HasPrefix(s.Scratch, "/tmp/") && !under(s.Readable, "/tmp/") {
		if err := unix.Mount(s.Scratch, "/tmp", "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /tmp: %w", err)
		}
	}
	return nil
}

func under(paths []string, prefix string) bool {
	for _, p := range paths {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

// limit sets what the program may use.
func (s *spec) limit() error {
	limits := map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: maxFiles, unix.RLIMIT_FSIZE: maxFileBytes, unix.RLIMIT_MSGQUEUE: 0, unix.RLIMIT_MEMLOCK: 0,
	}
	if s.User != 0 || s.Namespaces { // the kernel counts by user and user namespace: never with processes that are not ours
		limits[unix.RLIMIT_NPROC] = MaxProcesses
	}
	if s.MostBytes != 0 {
		limits[unix.RLIMIT_DATA] = s.MostBytes
	}
	for what, most := range limits {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("limit %d: %w", what, err)
		}
	}
	return nil
}

// become takes the slot's user and group and forgets all others.
func (s *spec) become() error {
	if err := syscall.Setgroups([]int{s.CodeGroup}); err != nil {
		return fmt.Errorf("drop groups: %w", err)
	}
	if err := syscall.Setresgid(s.User, s.User, s.User); err != nil {
		return fmt.Errorf("take group %d: %w", s.User, err)
	}
	if err := syscall.Setresuid(s.User, s.User, s.User); err != nil {
		return fmt.Errorf("take user %d: %w", s.User, err)
	}
	// The change of the user cleared it. Our parent can't have ended unseen: it
	// had to write what we read.
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0)
}

// systemFiles are what programs of every kind read.
var systemFiles = []string{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/etc", "/proc", "/sys/fs/cgroup", "/sys/devices/system/cpu", "/opt"}

// restrictFiles lets the program see the system, its code and its scratch folder.
func (s *spec) restrictFiles() error {
	rules := []landlock.Rule{
		landlock.RODirs(systemFiles...).IgnoreIfMissing(),
		landlock.RWFiles("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom").IgnoreIfMissing(),
	}
	for _, path := range s.Readable {
		if info, err := os.Stat(path); err != nil {
			return err
		} else if info.IsDir() {
			rules = append(rules, landlock.RODirs(path))
		} else {
			rules = append(rules, landlock.ROFiles(path))
		}
	}
	if s.Scratch != "" {
		rules = append(rules, landlock.RWDirs(s.Scratch))
	}
	if err := landlock.V5.BestEffort().RestrictPaths(rules...); err != nil {
		return err
	}
	return landlock.V6.BestEffort().RestrictScoped() // signals and abstract sockets stay inside
}
