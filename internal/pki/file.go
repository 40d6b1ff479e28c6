package pki

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// loadKey reads the private key in path, or makes one and writes it there.
func loadKey(path string, generate func() (crypto.Signer, error)) (crypto.Signer, error) {
	block, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	if block != nil {
		key, err := x509.ParsePKCS8PrivateKey(block)
		if err != nil {
			return nil, fmt.Errorf("read the key %s: %w", path, err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("read the key %s: a %T can't sign", path, key)
		}
		return signer, nil
	}
	key, err := generate()
	if err != nil {
		return nil, fmt.Errorf("make the key %s: %w", path, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make the key %s: %w", path, err)
	}
	return key, writeFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// loadCert reads the certificate in path, which must belong to pub, or makes one.
func loadCert(path string, pub crypto.PublicKey, issue func() ([]byte, error)) (*x509.Certificate, error) {
	cert, err := readCert(path)
	if err != nil {
		return nil, err
	}
	if cert != nil {
		if !samePublicKey(cert.PublicKey, pub) {
			return nil, fmt.Errorf("the certificate %s and the key beside it do not belong together", path)
		}
		return cert, nil
	}
	der, err := issue()
	if err != nil {
		return nil, fmt.Errorf("make the certificate %s: %w", path, err)
	}
	cert, err = x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the certificate %s: %w", path, err)
	}
	return cert, writeFile(path, encodeCert(der), 0o644)
}

// readCert reads the certificate in path, nil if there is no such file.
func readCert(path string) (*x509.Certificate, error) {
	block, err := readPEM(path, "CERTIFICATE")
	if err != nil || block == nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(block)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s: %w", path, err)
	}
	return cert, nil
}

// readPEM reads the first block of path, nil if there is no such file.
func readPEM(path, blockType string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != blockType {
		return nil, fmt.Errorf("the file %s holds no PEM block of the type %s", path, blockType)
	}
	return block.Bytes, nil
}

// writeFile writes path whole or not at all, also when the machine stops.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is none
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// samePublicKey compares keys of the kinds that crypto/x509 parses.
func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
