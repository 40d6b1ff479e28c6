package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// A node is a JSON value with its place in the text. Policy documents are small
// (2048 characters count), so that a tree is the clearest form to check.
type node struct {
	kind    jsontext.Kind // '{', '[', '"', '0', 't', 'f', 'n'
	text    string        // strings unescaped, numbers and booleans as written
	at      int           // offset of the first byte
	pointer string
	members []member // of an object
	items   []*node  // of an array
}

type member struct {
	name string
	at   int // offset of the name
	node *node
}

// maxDepth is deeper than any policy element: document, Statement list,
// statement, Condition, operator, list of values are six.
const maxDepth = 12

// A reader turns bytes into nodes and offsets into positions.
type reader struct {
	data []byte
	dec  *jsontext.Decoder
}

// readJSON reads data as exactly one JSON value without duplicate names.
func readJSON(data []byte) (*reader, *node, *SyntaxError) {
	r := &reader{data: data, dec: jsontext.NewDecoder(bytes.NewBuffer(data))}
	root, err := r.value("", 0)
	if err == nil {
		_, tail := r.dec.ReadToken()
		if errors.Is(tail, io.EOF) {
			return r, root, nil
		}
		if tail == nil {
			tail = fmt.Errorf("text after the end of the document")
			err = r.errorAt(int(r.dec.InputOffset())-1, "", "%v", tail)
		} else {
			err = tail
		}
	}
	if bad, ok := errors.AsType[*SyntaxError](err); ok {
		return r, nil, bad
	}
	return r, nil, r.describe(err)
}

func (r *reader) value(pointer string, depth int) (*node, error) {
	kind := r.dec.PeekKind()
	tok, err := r.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	// InputOffset is the end of the token; its start is found by its length only
	// for delimiters, so strings and numbers are searched from the end of what
	// came before.
	end := int(r.dec.InputOffset())
	n := &node{kind: kind, pointer: pointer}
	switch kind {
	case '{', '[':
		n.at = end - 1
		if depth == maxDepth {
			return nil, r.errorAt(n.at, pointer, "nested too deeply; no policy element is %d levels deep", maxDepth)
		}
	case '"':
		n.at = stringStart(r.data, end)
		n.text = tok.String()
	default:
		n.text = tok.String()
		n.at = end - len(n.text)
	}
	switch kind {
	case '{':
		for r.dec.PeekKind() != '}' {
			name, err := r.dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key, at := name.String(), stringStart(r.data, int(r.dec.InputOffset()))
			child, err := r.value(pointer+"/"+escapePointer(key), depth+1)
			if err != nil {
				return nil, err
			}
			n.members = append(n.members, member{key, at, child})
		}
		_, err = r.dec.ReadToken()
	case '[':
		for i := 0; r.dec.PeekKind() != ']'; i++ {
			child, err := r.value(pointer+"/"+strconv.Itoa(i), depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, child)
		}
		_, err = r.dec.ReadToken()
	default: // a scalar has no more tokens
	}
	return n, err
}

var (
	pointerEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

func escapePointer(name string) string { return pointerEscaper.Replace(name) }

// stringStart finds the opening quote of the string literal that ends at end.
func stringStart(data []byte, end int) int {
	for i := end - 2; i >= 0; i-- {
		if data[i] != '"' {
			continue
		}
		slashes := 0
		for j := i - 1; j >= 0 && data[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return 0
}

// position turns an offset into a Position.
func (r *reader) position(offset int, pointer string) Position {
	offset = max(0, min(offset, len(r.data)))
	before := r.data[:offset]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return Position{
		Offset:  offset,
		Line:    bytes.Count(before, []byte{'\n'}) + 1,
		Column:  utf8.RuneCount(before[lineStart:]) + 1,
		Pointer: pointer,
	}
}

func (r *reader) at(n *node) Position { return r.position(n.at, n.pointer) }

func (r *reader) errorAt(offset int, pointer, format string, args ...any) *SyntaxError {
	return &SyntaxError{Position: r.position(offset, pointer), Message: fmt.Sprintf(format, args...)}
}

func (r *reader) errorOn(n *node, format string, args ...any) *SyntaxError {
	return r.errorAt(n.at, n.pointer, format, args...)
}

// describe turns an error of the JSON decoder into words. People write trailing
// commas, comments and unclosed braces; each gets its own sentence.
func (r *reader) describe(err error) *SyntaxError {
	syn, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok {
		if len(bytes.TrimSpace(r.data)) == 0 {
			return r.errorAt(len(r.data), "", "the document is empty")
		}
		return r.errorAt(len(r.data), string(r.dec.StackPointer()), "the document ends too early: a brace, bracket or quote is not closed")
	}
	offset, pointer := int(syn.ByteOffset), string(syn.JSONPointer)
	rest := r.data[min(offset, len(r.data)):]
	next := bytes.TrimLeft(rest, ", \t\r\n")
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return r.errorAt(offset, pointer, "the key %q occurs twice in one object", lastElement(pointer))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return r.errorAt(len(r.data), pointer, "the document ends too early: a brace, bracket or quote is not closed")
	case len(rest) > 0 && rest[0] == ',' && len(next) > 0 && (next[0] == '}' || next[0] == ']'):
		return r.errorAt(offset, pointer, "trailing comma before %q: remove it", next[0])
	case len(rest) > 0 && (rest[0] == '}' || rest[0] == ']') && bytes.HasSuffix(bytes.TrimRight(r.data[:offset], " \t\r\n"), []byte{','}):
		comma := bytes.LastIndexByte(r.data[:offset], ',')
		return r.errorAt(comma, pointer, "trailing comma before %q: remove it", rest[0])
	case bytes.HasPrefix(rest, []byte("//")), bytes.HasPrefix(rest, []byte("/*")), bytes.HasPrefix(rest, []byte("#")):
		return r.errorAt(offset, pointer, "JSON has no comments: remove it")
	case bytes.HasPrefix(rest, []byte("\xef\xbb\xbf")):
		return r.errorAt(offset, pointer, "the text begins with a byte order mark: save it as UTF-8 without one")
	case len(rest) > 0 && rest[0] == '\'':
		return r.errorAt(offset, pointer, "strings stand in double quotes in JSON")
	}
	return r.errorAt(offset, pointer, "%s", strings.TrimPrefix(syn.Err.Error(), "jsontext: "))
}

func lastElement(pointer string) string {
	return pointerUnescaper.Replace(pointer[strings.LastIndexByte(pointer, '/')+1:])
}

// sizeOf counts characters outside of white space. Source: policy sheet 3.
func sizeOf(data []byte) int {
	size := 0
	for _, c := range string(data) {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			size++
		}
	}
	return size
}
