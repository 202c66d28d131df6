package runtime

import (
	"podd/runtime/controller"
	"podd/runtime/manifest"
	"podd/runtime/objects"
	"podd/runtime/service"
	"podd/runtime/state"
	"podd/runtime/storage"
)

// takeObjects makes the objects of a scan the present ones and tells whom a change concerns.
func (r *Runtime) takeObjects(list []manifest.Object, now state.Instant) {
	changed := r.objects.Replace(list, now.Wall)
	if len(changed) > 0 {
		r.objectsChanged(changed, now)
	}
}

// objectsChanged shows changed objects and looks again at whatever depends on them. A kind whose shown form is not its
// manifest (it has a status) has a case here.
func (r *Runtime) objectsChanged(changed map[objects.Key]bool, now state.Instant) {
	r.claims.Bind(r.podVolumes.claimView(now))
	for key := range changed {
		switch key.Kind {
		case objects.KindRuntimeClass:
			r.admission.retryHandlers(key.Name)
			r.controllers.RetryCreate()
		case "Namespace":
			r.controllers.RetryCreate()
		}
		if key.Kind == storage.KindClaim || key.Kind == storage.KindVolume {
			if r.objects.Get(key.Kind, key.Namespace, key.Name) == nil {
				r.store.RemoveObject(key)
			}
			continue
		}
		o := r.objects.Get(key.Kind, key.Namespace, key.Name)
		if key.Kind == service.Kind || key.Kind == service.KindEndpointSlice {
			r.services.MarkChanged()
		}
		switch {
		case o == nil && !controller.Shows(key.Kind):
			r.store.RemoveObject(key)
		case key.Kind == service.Kind, controller.Shows(key.Kind): // it is shown with its status
		default:
			r.store.SetObject(key.Kind, objects.ShallowCopy(o.Value))
		}
	}
	for uid, p := range r.pods {
		if r.imagePulls.pullsWith(p, changed) {
			r.imagePulls.retryPulls(p)
			r.mark(uid)
		}
		if objects.RefersToAny(p.Record.Object, changed) || storage.WaitsForClaim(p.Record) {
			r.retryConfig(p)
			r.refreshVolumes(p)
			r.mark(uid)
		}
	}
}
