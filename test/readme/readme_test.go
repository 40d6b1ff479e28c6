// Package readme keeps the documents true: it runs what README.md and the pages
// of docs/ tell people to type, against a real Gatehouse, and compares what they
// show.
//
// A block marked `console` is a session: its lines that begin with "$ " are typed
// (a line after a trailing backslash belongs to it), the others are what the
// terminal shows. A block marked `sh` is typed too; each of its commands has to
// succeed. A block after the line <!-- not run: REASON --> is left alone. All
// blocks of a document are typed into one shell, in their order; those after the
// line <!-- run last --> come after the others.
//
// What differs from run to run (times, ports, identifiers, line breaks, whether a
// session's end is recorded already) does not count. `go test ./test/readme -update` writes what was printed into the document.
package readme

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
	"github.com/gatehouse-iot/gatehouse/test/golden"
)

// documents are the pages whose blocks are typed.
var documents = []string{"README.md", "docs/guide.md", "docs/api.md", "docs/mqtt.md", "docs/security.md", "docs/diagnose.md", "docs/symptoms.md", "docs/custom-authentication.md"}

func TestDocuments(t *testing.T) {
	for _, name := range []string{"mosquitto_pub", "mosquitto_sub", "aws", "openssl", "bash", "curl", "node"} {
		gatehouseproc.Need(t, name)
	}
	for _, name := range documents {
		t.Run(name, func(t *testing.T) { checkDocument(t, filepath.Join("../..", name)) })
	}
}

func checkDocument(t *testing.T, path string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blocks := parse(string(raw))
	if len(blocks) == 0 {
		t.Fatalf("%s has no block to run: take it off the list", path)
	}
	names := startForPerson(t)
	printed := typeIn(t, names.gw, names.folder, script(blocks, false, names)+script(blocks, true, names))
	text := string(raw)
	for i, b := range slices.Backward(blocks) { // from the end, so that positions stay right
		if !b.console {
			if failed, _, bad := strings.Cut(section(printed, mark(i, 0)), failure); bad {
				t.Errorf("%s line %d: a command of this block fails:\n%s\n%s", path, b.line, b.text, failed)
			}
			continue
		}
		var got strings.Builder
		for n, c := range b.commands {
			out := strings.TrimRight(names.outside(section(printed, mark(i, n))), "\n")
			got.WriteString("$ " + c + "\n")
			if out != "" {
				got.WriteString(out + "\n")
			}
		}
		if diff := cmp.Diff(masked(b.text), masked(got.String())); diff != "" {
			if golden.Update() {
				text = text[:b.begin] + got.String() + text[b.end:]
				continue
			}
			t.Errorf("%s line %d shows something else than what is printed (go test ./test/readme -update writes it):\n%s\nprinted:\n%s", path, b.line, diff, got.String())
		}
	}
	if golden.Update() && text != string(raw) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// startForPerson starts a Gatehouse in a folder of its own, with the command on the PATH.
func startForPerson(t *testing.T) shownAs {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bin, err := gatehouseproc.Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return shownAs{folder: folder, gw: gatehouseproc.StartIn(t, filepath.Join(folder, "gatehouse-data"))}
}

// A block is a fenced block to be typed.
type block struct {
	console    bool
	last       bool // typed after the others
	line       int  // of the fence
	begin, end int  // of text within the document
	text       string
	commands   []string
}

var fence = regexp.MustCompile("(?ms)^(?:<!-- ((?:not run|run last)[^\n]*)-->\n+)?```(console|sh)\n(.*?)^```$")

func parse(text string) []block {
	var blocks []block
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		note := ""
		if m[2] >= 0 {
			note = text[m[2]:m[3]]
		}
		if strings.HasPrefix(note, "not run") {
			continue
		}
		b := block{
			last: strings.HasPrefix(note, "run last"), console: text[m[4]:m[5]] == "console", line: 1 + strings.Count(text[:m[4]], "\n"),
			begin: m[6], end: m[7], text: text[m[6]:m[7]],
		}
		if b.console {
			b.commands = commands(b.text)
		} else {
			b.commands = []string{b.text}
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// commands are what is typed in a session.
func commands(session string) []string {
	var list []string
	more := false
	for line := range strings.SplitSeq(strings.TrimSuffix(session, "\n"), "\n") {
		typed, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins:
			list = append(list, typed)
		case more:
			list[len(list)-1] += "\n" + line
		}
		more = (begins || more) && strings.HasSuffix(line, `\`)
	}
	return list
}

const failure = "@@failed@@"

func mark(block, command int) string { return fmt.Sprintf("@@%d.%d@@\n", block, command) }

// section is what was printed between a mark and the next.
func section(printed, mark string) string {
	_, rest, _ := strings.Cut(printed, mark)
	part, _, _ := strings.Cut(rest, "\n@@next@@")
	return part
}

// script is the shell script of the blocks that are, or are not, typed last. A command that fails in an sh block is reported.
func script(blocks []block, last bool, names shownAs) string {
	var s strings.Builder
	for i, b := range blocks {
		if b.last != last {
			continue
		}
		if b.console {
			s.WriteString("trap - ERR\n")
		} else {
			s.WriteString("trap 'printf \"" + failure + "\"' ERR\n")
		}
		for n, c := range b.commands {
			fmt.Fprintf(&s, "printf '@@%d.%d@@\\n'\n%s\nprintf '\\n@@next@@\\n'\n", i, n, names.inside(c))
		}
	}
	return s.String()
}

// typeIn runs a script in a person's shell: nothing set that a Gatehouse or AWS tool reads.
func typeIn(t *testing.T, gw *gatehouseproc.Process, folder, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // a busy machine takes seconds for one aws command
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = folder
	for _, kv := range gw.Environ() {
		if !strings.HasPrefix(kv, "AWS_") && !strings.HasPrefix(kv, "GATEHOUSE_") && !strings.HasPrefix(kv, "PATH=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		t.Fatalf("the commands of the document do not end: %v\n%s", err, out)
	}
	return string(out)
}

// shownAs translates between what documents show and what this run has.
type shownAs struct {
	folder string
	gw     *gatehouseproc.Process
}

const shownFolder = "/home/ann/iot"

func (s shownAs) ports() map[string]int {
	p := s.gw.Ports
	return map[string]int{"8883": p.MQTT, "8443": p.HTTPS, "10443": p.ALPN, "4610": p.API}
}

func (s shownAs) inside(text string) string {
	for shown, real := range s.ports() {
		text = regexp.MustCompile(`\b`+shown+`\b`).ReplaceAllString(text, strconv.Itoa(real))
	}
	return strings.ReplaceAll(text, shownFolder, s.folder)
}

func (s shownAs) outside(text string) string {
	for shown, real := range s.ports() {
		text = regexp.MustCompile(`\b`+strconv.Itoa(real)+`\b`).ReplaceAllString(text, shown)
	}
	return strings.ReplaceAll(text, s.folder, shownFolder)
}

var varying = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(?m)^ +ok +\S+ m?s +session\.closed .*$`), ""}, // the device may be quicker than the gateway notices
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{8,12}(…|\.\.\.)`), "ID…"},
	{regexp.MustCompile(`\b[0-9a-f]{40}\b`), "ID"},
	{regexp.MustCompile(`\b\d+(\.\d+)? ?(ms|s|µs)\b`), "DURATION"},
	{regexp.MustCompile(`(127\.0\.0\.1|\[::1\]):\d+`), "ADDRESS"},
	{regexp.MustCompile(`AKIA[0-9A-Z]{16}`), "KEY"},
	{regexp.MustCompile(`SECRET_ACCESS_KEY=\S+`), "SECRET_ACCESS_KEY=SECRET"},
	{regexp.MustCompile(`\b1\d{9}\.\d+\b`), "TIME"},                                                       // the AWS CLI's
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+\d\d:\d\d)`), "TIME"},                // and its other one
	{regexp.MustCompile(`\b[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d 20\d\d GMT`), "TIME"},                        // openssl
	{regexp.MustCompile(`gatehouse \S+ \((commit \w+( with changes)?, )?go[\d.]+, \w+/\w+\)`), "VERSION"}, // gatehouse version
}

// masked is the words of a text without what differs from run to run.
func masked(text string) []string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.by)
	}
	return strings.Fields(text)
}

// A mask that swallows too much would let a wrong document pass.
func TestMasked(t *testing.T) {
	const shown = "FAIL 5.0 ms cert.inactive status=INACTIVE alert=42 at 2026-11-21T09:30:00Z trace 0f9d6a52-1111-4222-8333-123456789012"
	for name, tt := range map[string]struct {
		other string
		same  bool
	}{
		"another time and trace": {"FAIL 12 ms\n  cert.inactive status=INACTIVE alert=42 at 2027-01-01T00:00:00Z trace 1f9d6a52-1111-4222-8333-123456789012", true},
		"another status":         {strings.Replace(shown, "INACTIVE", "REVOKED", 1), false},
		"another alert":          {strings.Replace(shown, "42", "46", 1), false},
		"a word less":            {strings.Replace(shown, "FAIL ", "", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			if same := cmp.Equal(masked(shown), masked(tt.other)); same != tt.same {
				t.Errorf("%q counts as equal to %q: %v, want %v", tt.other, shown, same, tt.same)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	got := commands("$ a \\\n    -b\nout\n$ c\nout \\\nmore\n")
	if diff := cmp.Diff([]string{"a \\\n    -b", "c"}, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
