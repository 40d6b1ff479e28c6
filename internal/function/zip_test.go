package function

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHostileZip refuses packages that would leave their folder or fill the disk.
func TestHostileZip(t *testing.T) {
	entry := func(name string, mode fs.FileMode, text string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		z.Close()
		return b.Bytes()
	}
	claims := func(size uint64) []byte { // of one entry; nobody compresses so much in a test
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		if _, err := z.CreateRaw(&zip.FileHeader{Name: "zeros", Method: zip.Deflate, UncompressedSize64: size}); err != nil {
			t.Fatal(err)
		}
		z.Close()
		return b.Bytes()
	}
	many := map[string]string{}
	for i := range maxEntries + 1 {
		many[strings.Repeat("a", i%200+1)+string(rune('A'+i%26))+strings.Repeat("b", i/200)] = ""
	}
	for name, raw := range map[string][]byte{
		"no zip":      []byte("PK no"),
		"empty":       zipOf(t, nil),
		"parent":      entry("../x", 0o644, "x"),
		"inner":       entry("a/../../x", 0o644, "x"),
		"unclean":     entry("a//x", 0o644, "x"),
		"absolute":    entry("/etc/passwd", 0o644, "x"),
		"backslash":   entry(`..\x`, 0o644, "x"),
		"link":        entry("link", 0o777|fs.ModeSymlink, "/etc"),
		"device":      entry("dev", 0o644|fs.ModeDevice, ""),
		"pipe":        entry("pipe", 0o644|fs.ModeNamedPipe, ""),
		"deep":        entry(strings.Repeat("a/", maxDepth+1)+"x", 0o644, "x"),
		"many":        zipOf(t, many),
		"large":       claims(MaxUnzipped + 1),
		"file as dir": zipOf(t, map[string]string{"a": "x", "a/b": "y"}),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			z, err := checkZip(raw)
			if err == nil {
				err = unpack(z, dir, os.Getgid())
			}
			if _, ok := errors.AsType[*ZipError](err); !ok {
				t.Errorf("got %v, want a *ZipError", err)
			}
		})
	}
}

// TestUnpackClaims unpacks a package whose header claims less than there is.
func TestUnpackClaims(t *testing.T) {
	raw := zipOf(t, map[string]string{"bootstrap": "#!/bin/sh\n", "lib/a.txt": strings.Repeat("x", 1000)})
	dir := t.TempDir()
	z, err := checkZip(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := unpack(z, dir, os.Getgid()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"bootstrap": 0o750, "lib/a.txt": 0o640, "lib": fs.ModeDir | 0o750} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
	left := int64(500)
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, f := range z.File {
		if f.Name == "lib/a.txt" {
			if err := unpackEntry(root, f, os.Getgid(), &left); err == nil {
				t.Error("unpacked more than was left")
			}
		}
	}
}

// FuzzZip never panics, and never writes outside of the folder.
func FuzzZip(f *testing.F) {
	f.Add(zipOf(f, map[string]string{"index.js": "x", "a/b": "y"}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		z, err := checkZip(raw)
		if err != nil {
			return
		}
		parent := t.TempDir()
		dir := filepath.Join(parent, "in")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		_ = unpack(z, dir, os.Getgid())
		entries, err := os.ReadDir(parent)
		if err != nil || len(entries) != 1 {
			t.Fatalf("beside the folder: %v %v", entries, err)
		}
	})
}
