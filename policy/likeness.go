package policy

import "strings"

// This file compares patterns and names in the ways in which people confuse them.

// textOf shows a resolved pattern with its wildcards readable.
func textOf(pattern string) string {
	b := []byte(pattern)
	for i, c := range b {
		switch c {
		case star:
			b[i] = '*'
		case question:
			b[i] = '?'
		}
	}
	return string(b)
}

// matchFold matches without regard to case. Bytes of wildcards survive, since
// only ASCII letters change.
func matchFold(pattern, name string) bool {
	return newGlob(lowerASCII(pattern)).match(lowerASCII(name))
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// slashMatches tries the name with a slash added or removed at either end.
func slashMatches(pattern, kind, name string) bool {
	g := newGlob(pattern)
	for _, other := range []string{"/" + name, name + "/", "/" + name + "/", strings.TrimPrefix(name, "/"), strings.TrimSuffix(name, "/"), strings.Trim(name, "/")} {
		if other != name && g.match(kind+"/"+other) {
			return true
		}
	}
	return false
}

// mqttMatches reads + and # in a pattern as MQTT would.
func mqttMatches(pattern, name string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(name, "/")
	for i, level := range want {
		if level == "#" && i == len(want)-1 {
			return true
		}
		if i >= len(have) {
			return false
		}
		if strings.HasSuffix(level, starText) && i == len(want)-1 {
			return newGlob(level).match(strings.Join(have[i:], "/"))
		}
		if level != "+" && !newGlob(level).match(have[i]) {
			return false
		}
	}
	return len(want) == len(have)
}

// filterCovers reports whether the MQTT filter delivers some topic that pattern
// names: both are walked level by level, wildcards of either side match anything.
func filterCovers(filter, pattern string) bool {
	have, want := strings.Split(filter, "/"), strings.Split(pattern, "/")
	for i, level := range have {
		if level == "#" && i == len(have)-1 {
			return true
		}
		if i >= len(want) {
			return false
		}
		if strings.IndexByte(want[i], star) >= 0 {
			return level == "+" || newGlob(want[i]).match(level) || i == len(want)-1
		}
		if level != "+" && level != want[i] && !newGlob(want[i]).match(level) {
			return false
		}
	}
	return len(have) == len(want)
}

// shareInner returns the filter inside "$share/{name}/{filter}", else "".
func shareInner(filter string) string {
	rest, ok := strings.CutPrefix(filter, "$share/")
	if !ok {
		return ""
	}
	_, inner, _ := strings.Cut(rest, "/")
	return inner
}

func sharePrefix(filter string) string { return strings.TrimSuffix(filter, shareInner(filter)) }
