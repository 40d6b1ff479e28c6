package logs

import (
	"bytes"
	"encoding/hex"
	"strings"
)

// A tokens column holds JSON texts: of each row a code, 0 for absent, else 1 +
// the index of its token. A token is made when it is asked for: most queries
// need few of those of a block.
type tokens struct {
	codes []uint32
	count int // of the tokens
	form  byte
	text  []byte   // of all tokens, in their form
	ends  []uint32 // of each in text; nil for formUUID
}

const (
	uuidBytes = 16
	uuidText  = 36
)

// stored is token i as it is written in the block.
func (t *tokens) stored(i int) []byte {
	if t.form == formUUID {
		return t.text[uuidBytes*i:][:uuidBytes]
	}
	start := uint32(0)
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.text[start:t.ends[i]]
}

// append appends token i.
func (t *tokens) append(b []byte, i int) []byte {
	s := t.stored(i)
	if t.form == formToken {
		return append(b, s...)
	}
	b = append(b, '"')
	switch t.form {
	case formText:
		b = append(b, s...)
	default:
		b = appendStored(b, s, t.form)
	}
	return append(b, '"')
}

// appendStored appends the text of a string that is stored as bytes.
func appendStored(b, raw []byte, form byte) []byte {
	if form == formHex {
		return hex.AppendEncode(b, raw)
	}
	b = append(hex.AppendEncode(b, raw[:4]), '-')
	b = append(hex.AppendEncode(b, raw[4:6]), '-')
	b = append(hex.AppendEncode(b, raw[6:8]), '-')
	b = append(hex.AppendEncode(b, raw[8:10]), '-')
	return hex.AppendEncode(b, raw[10:])
}

// leaf returns the value of token i, or of the leaf at a path within it.
// scratch takes texts that have to be made.
func (t *tokens) leaf(i int, path string, nested bool, scratch *strings.Builder) (value string, present bool) {
	s := t.stored(i)
	switch {
	case t.form == formToken:
		return leaf(string(s), path, nested)
	case nested:
		return "", false
	case t.form == formText:
		return unescape(string(s)), true
	}
	var text [128]byte
	start := scratch.Len()
	scratch.Write(appendStored(text[:0], s, t.form))
	return scratch.String()[start:], true
}

// whole is the column of all values if they are few and each token is one; else nil.
func (t *tokens) whole() *Column {
	const few = 256
	if t.count > few {
		return nil
	}
	var scratch strings.Builder
	c := &Column{Codes: t.codes, Values: make([]string, t.count)}
	for i := range c.Values {
		var present bool
		if c.Values[i], present = t.leaf(i, "", false, &scratch); !present {
			return nil
		}
	}
	return c
}

// equal returns which codes stand for the text; nil if none does.
func (t *tokens) equal(text string) (codes []bool) {
	found := func(i int) {
		if codes == nil {
			codes = make([]bool, t.count+1)
		}
		codes[i+1] = true
	}
	var raw []byte
	switch {
	case t.form == formUUID && (len(text) != uuidText || !isUUID(text)), t.form == formHex && (len(text)%2 != 0 || !isLowerHex(text)):
		return nil
	case t.form == formUUID:
		raw = appendHex(nil, strings.ReplaceAll(text, "-", ""))
	case t.form == formHex:
		raw = appendHex(nil, text)
	case t.form == formText && bytes.IndexByte(t.text, '\\') < 0:
		raw = []byte(text)
	default:
		for i := range t.count {
			if value, present := t.leaf(i, "", false, nil); present && value == text {
				found(i)
			}
		}
		return codes
	}
	for i := range t.count {
		if bytes.Equal(t.stored(i), raw) {
			found(i)
		}
	}
	return codes
}

// timed reports whether a token stands for the event's own time.
func (t *tokens) timed() bool {
	if t.form != formToken {
		return false
	}
	for i := range t.count {
		if string(t.stored(i)) == sameTime {
			return true
		}
	}
	return false
}

// leaf returns the value of a token, or of the leaf at a path within it.
func leaf(token, path string, nested bool) (value string, present bool) {
	if composite := token[0] == '{' || token[0] == '['; composite != nested {
		return "", false
	}
	if !nested {
		return scalar(token)
	}
	p := scanner{s: token}
	p.leaves("", 1, func(name, v string) {
		if strings.TrimPrefix(name, ".") == path {
			value, present = v, true
		}
	})
	return value, present
}
