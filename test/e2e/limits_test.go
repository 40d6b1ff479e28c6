package e2e

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iot"

	"github.com/gatehouse-iot/gatehouse/test/gatehouseproc"
)

// With open limits a deprecated thing type goes at once, after the other rules.
func TestOpenLimitsDeleteThingTypesAtOnce(t *testing.T) {
	t.Parallel()
	gw := gatehouseproc.Start(t, "--limits", "open")
	api := gw.IoT()
	name := aws.String("pump")
	ok2(api.CreateThingType(t.Context(), &iot.CreateThingTypeInput{ThingTypeName: name}))(t)
	wantAWSError(t, fail(api.DeleteThingType(t.Context(), &iot.DeleteThingTypeInput{ThingTypeName: name})), "InvalidRequestException", 400, "must be deprecated first")
	ok2(api.DeprecateThingType(t.Context(), &iot.DeprecateThingTypeInput{ThingTypeName: name}))(t)
	ok2(api.DeleteThingType(t.Context(), &iot.DeleteThingTypeInput{ThingTypeName: name}))(t)
	wantAWSError(t, fail(api.DescribeThingType(t.Context(), &iot.DescribeThingTypeInput{ThingTypeName: name})), "ResourceNotFoundException", 404)
}
