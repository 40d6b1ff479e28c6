//go:build !linux

package gateway

// readHurried is Read where a delayed acknowledgement can't be sent early.
func (w *wire) readHurried(p []byte) (int, error) { return w.Conn.Read(p) }
