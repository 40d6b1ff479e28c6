package function

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Bounds of a deployment package. Source: AWS Lambda quotas; the number of
// entries is ours.
const (
	MaxZip      = 50 << 20  // bytes zipped, in the request
	MaxUnzipped = 250 << 20 // bytes of all files
	maxEntries  = 20_000
	maxDepth    = 40
)

// A ZipError says what is wrong with a deployment package.
type ZipError struct{ Reason string }

func (e *ZipError) Error() string { return "the deployment package " + e.Reason }

func zipErrorf(format string, args ...any) error { return &ZipError{fmt.Sprintf(format, args...)} }

// checkZip reads the directory of a package, not its files. It answers a *ZipError.
func checkZip(raw []byte) (*zip.Reader, error) {
	if len(raw) > MaxZip {
		return nil, zipErrorf("has %d bytes, at most %d are allowed", len(raw), MaxZip)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, zipErrorf("is no zip file: %v", err)
	}
	if len(z.File) == 0 {
		return nil, zipErrorf("is empty")
	}
	if len(z.File) > maxEntries {
		return nil, zipErrorf("has %d entries, at most %d are allowed", len(z.File), maxEntries)
	}
	var total uint64
	seen := map[string]bool{}
	for _, f := range z.File {
		if err := checkEntry(f); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(f.Name, "/")
		if seen[name] && !f.Mode().IsDir() {
			return nil, zipErrorf("holds %q twice", f.Name)
		}
		seen[name] = true
		if f.UncompressedSize64 > MaxUnzipped {
			return nil, zipErrorf("unpacks to more than %d bytes", MaxUnzipped)
		}
		if total += f.UncompressedSize64; total > MaxUnzipped {
			return nil, zipErrorf("unpacks to more than %d bytes", MaxUnzipped)
		}
	}
	return z, nil
}

// checkEntry refuses what could leave the folder, or is neither file nor folder.
func checkEntry(f *zip.File) error {
	name := strings.TrimSuffix(f.Name, "/")
	if strings.Contains(name, `\`) || strings.ContainsRune(name, 0) || path.IsAbs(name) || !filepath.IsLocal(name) || path.Clean(name) != name {
		return zipErrorf("holds %q, which is no plain path below the function's folder", f.Name)
	}
	if strings.Count(name, "/") >= maxDepth || len(name) > 1024 {
		return zipErrorf("holds %q, which is too deep or too long", short(f.Name))
	}
	if mode := f.Mode(); !mode.IsRegular() && !mode.IsDir() {
		return zipErrorf("holds %q, which is a link or a device", f.Name)
	}
	if f.Flags&1 != 0 {
		return zipErrorf("holds %q, which is encrypted", f.Name)
	}
	return nil
}

// unpack writes the package into dir, which is new and empty. Everything is
// owned by us, readable for group (and executable where the package says so),
// and writable for nobody else.
func unpack(z *zip.Reader, dir string, group int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(MaxUnzipped) // what a header claims is only a claim
	for _, f := range z.File {
		if err := unpackEntry(root, f, group, &left); err != nil {
			return err
		}
	}
	return nil
}

func unpackEntry(root *os.Root, f *zip.File, group int, left *int64) error {
	name := strings.TrimSuffix(f.Name, "/")
	parent := path.Dir(name)
	if f.Mode().IsDir() {
		parent = name
	}
	if err := makeFolders(root, parent, group); err != nil {
		return zipErrorf("cannot be unpacked: %v", err)
	}
	if f.Mode().IsDir() {
		return nil
	}
	mode := fs.FileMode(0o640)
	if f.Mode().Perm()&0o111 != 0 {
		mode = 0o750
	}
	r, err := f.Open()
	if err != nil {
		return zipErrorf("holds %q, which cannot be read: %v", f.Name, err)
	}
	defer r.Close()
	w, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return zipErrorf("cannot be unpacked: %v", err)
	}
	defer w.Close()
	n, err := io.Copy(w, io.LimitReader(r, *left+1))
	if err != nil {
		return zipErrorf("holds %q, which cannot be read: %v", f.Name, err)
	}
	if *left -= n; *left < 0 {
		return zipErrorf("unpacks to more than %d bytes", MaxUnzipped)
	}
	if err := w.Chown(-1, group); err != nil {
		return err
	}
	if err := w.Chmod(mode); err != nil { // whatever the umask, and after the group changed
		return err
	}
	return w.Close()
}

// makeFolders makes a folder and those above it.
func makeFolders(root *os.Root, dir string, group int) error {
	if dir == "." {
		return nil
	}
	if info, err := root.Stat(dir); err == nil {
		if !info.IsDir() {
			return fmt.Errorf("%s is a file", dir)
		}
		return nil
	}
	if err := makeFolders(root, path.Dir(dir), group); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o750); err != nil {
		return err
	}
	if err := root.Chown(dir, -1, group); err != nil {
		return err
	}
	return root.Chmod(dir, 0o750)
}

// short cuts a remote text for a message.
func short(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
