package volume

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
)

func parseQuantity(text string) (int64, error) {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: %w", text, err)
	}
	return q.Value(), nil
}
