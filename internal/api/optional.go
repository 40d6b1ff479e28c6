package api

// OrZero returns what an optional member holds, or the zero value if it is absent.
func OrZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// OrAbsent returns s as an optional member; the empty string is absent.
func OrAbsent(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
