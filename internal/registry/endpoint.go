package registry

// Endpoint returns the host name for a type of endpoint; the empty type means
// iot:Data. All of them lead to the same host here, which tells them apart by
// port and ALPN.
// Source: connect sheet 1.1.
func (r *Registry) Endpoint(endpointType string) (string, error) {
	switch endpointType {
	case "", "iot:Data", "iot:Data-ATS", "iot:CredentialProvider", "iot:Jobs":
		return r.endpoint, nil
	}
	return "", Errorf(InvalidRequest, "Endpoint type %s is not supported", endpointType)
}
