package gatehouseproc

import (
	"archive/zip"
	"bytes"
)

// FunctionZip is the package of a Node function whose only module, index.mjs, is code.
func FunctionZip(code string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("index.mjs")
	if err == nil {
		_, err = w.Write([]byte(code))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		panic(err) // memory takes all that is written
	}
	return b.Bytes()
}
