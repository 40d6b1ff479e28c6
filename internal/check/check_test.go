package check

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)

// templates are what a check fills with evidence.
func templates(c *Check) map[string]string {
	return map[string]string{"Cause": c.Cause, "Advice": c.Advice, "Fix": c.Fix}
}

// TestCatalogue is the rule that every entry keeps; duplicate codes already
// panic while the package is initialised.
func TestCatalogue(t *testing.T) {
	if n := len(All()); n < 150 {
		t.Fatalf("%d checks: part of the catalogue is missing", n)
	}
	for _, c := range All() {
		t.Run(c.Code, func(t *testing.T) {
			if !codeForm.MatchString(c.Code) {
				t.Errorf("code %q is not dotted lower case", c.Code)
			}
			if stageNames[c.Stage] == "" || severityNames[c.Severity] == "" {
				t.Errorf("stage %v, severity %v", c.Stage, c.Severity)
			}
			if c.Title == "" || strings.HasSuffix(c.Title, ".") || c.Source == "" {
				t.Errorf("title %q, source %q", c.Title, c.Source)
			}
			if c.Severity == Step {
				if c.Passed == "" || c.Cause+c.Fix+c.Advice != "" {
					t.Error("a step only passes: it needs Passed, and neither cause nor fix")
				}
				return
			}
			if c.Cause == "" || c.Fix == "" {
				t.Error("cause or fix is missing")
			}
			d := c.Device
			if d.TLS12+d.TLS13+d.MQTT311+d.MQTT5+d.HTTPS == "" {
				t.Error("it does not say what the device sees")
			}
			for name, template := range templates(c) {
				fixed, inOptional := names(template)
				for _, n := range slices.Concat(fixed, inOptional) {
					if evidence[n] == "" {
						t.Errorf("%s uses {%s}, which is not in the vocabulary", name, n)
					}
				}
				for _, n := range fixed {
					if c.Example[n] == "" {
						t.Errorf("%s needs {%s}, which the example does not have", name, n)
					}
				}
				if rest := text(template, Map(c.Example)); placeholder.MatchString(rest) || strings.Contains(rest, "<<") && name != "Fix" {
					t.Errorf("%s is not filled: %s", name, rest)
				}
			}
			for n := range c.Example {
				if evidence[n] == "" {
					t.Errorf("the example has %q, which is not in the vocabulary", n)
				}
			}
		})
	}
}

// TestHiddenByHasNoCircle: two findings must not hide each other.
func TestHiddenByHasNoCircle(t *testing.T) {
	var visit func(c *Check, path []*Check)
	visit = func(c *Check, path []*Check) {
		if slices.Contains(path, c) {
			t.Fatalf("%v hides itself by way of %v", c, path)
		}
		for _, by := range c.HiddenBy {
			visit(by, append(slices.Clone(path), c))
		}
	}
	for _, c := range All() {
		visit(c, nil)
	}
}

// TestFixesAreShell parses every example command with a real shell, without
// running it, and looks at its policy documents.
func TestFixesAreShell(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh on this machine")
	}
	for _, c := range All() {
		if c.Fix == "" {
			continue
		}
		command, missing := c.FixWith(Map(c.Example))
		if len(missing) > 0 {
			t.Errorf("%v: the example lacks %v", c, missing)
		}
		check := exec.CommandContext(t.Context(), sh, "-n")
		check.Stdin = strings.NewReader(command + "\n")
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%v: %v: %s\n%s", c, err, out, command)
		}
	}
}
