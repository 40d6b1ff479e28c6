package iot

import (
	"context"
)

// DescribeEndpoint answers the host name that devices use: no scheme, no port.
// Without a type it is the data endpoint.
// Source: connect sheet 1.1, api sheet 3.2.
func (h Handlers) DescribeEndpoint(_ context.Context, in *DescribeEndpointRequest) (*DescribeEndpointResponse, error) {
	var endpointType string
	if in.EndpointType != nil {
		endpointType = *in.EndpointType
	}
	host, err := h.Registry.Endpoint(endpointType)
	if err != nil {
		return nil, err
	}
	return &DescribeEndpointResponse{EndpointAddress: &host}, nil
}
