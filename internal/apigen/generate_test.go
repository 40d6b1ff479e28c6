package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGenerated fails when the committed files differ from what the models give.
func TestGenerated(t *testing.T) {
	for _, svc := range services {
		files, err := generate(".", svc)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range files {
			path := filepath.Join("..", "api", svc.pkg, name)
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s is out of date: run go generate ./internal/apigen", path)
			}
		}
		again, err := generate(".", svc)
		if err != nil {
			t.Fatal(err)
		}
		for name := range files {
			if string(files[name]) != string(again[name]) {
				t.Errorf("%s: two runs differ", name)
			}
		}
	}
}

func TestCamel(t *testing.T) {
	for value, want := range map[string]string{
		"ACTIVE": "Active", "PENDING_TRANSFER": "PendingTransfer", "p99.9": "P99_9", "s": "S", "iot:Data": "IotData",
		"bucket-owner-full-control": "BucketOwnerFullControl", "GreaterThan": "GreaterThan", "SHA-256": "Sha256",
	} {
		if got := camel(value); got != want {
			t.Errorf("camel(%q) = %q, want %q", value, got, want)
		}
	}
}
