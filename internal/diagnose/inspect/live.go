package inspect

import (
	"context"
	"net/netip"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"
)

// indexed asks the account whether the thing of that name is connected under its
// own name as client ID. It knows nothing of other clients.
func (i *Inspector) indexed(ctx context.Context, clientID string) (live, known bool, who string) {
	out, err := ask(ctx, i.iot.GetThingConnectivityData, &iot.GetThingConnectivityDataInput{ThingName: &clientID, IncludeSocketInformation: aws.Bool(true)})
	if err != nil || aws.ToString(out.ClientId) != clientID {
		return false, false, ""
	}
	return aws.ToBool(out.Connected), true, aws.ToString(out.SourceIp)
}

// sameHost compares addresses of one host: a connection to itself has several.
func sameHost(a, b netip.Addr) bool {
	return a.Unmap() == b.Unmap() || a.IsLoopback() && b.IsLoopback()
}
