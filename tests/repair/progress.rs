//! Who asks is told how far it is.

use crate::scene::{Scene, by_hand};

#[test]
fn progress_never_goes_back_and_ends_at_its_total() {
    for scene in [Scene::killed(), Scene::closed()] {
        let mut seen = Vec::new();
        let repaired =
            by_hand(&scene.clock).repair_with(scene.old(), scene.new_directory(), |done, total| {
                seen.push((done, total));
            });
        repaired.unwrap();
        let (last, total) = *seen.last().unwrap();
        assert!(total > 0 && last == total);
        assert!(seen.iter().all(|(done, of)| done <= of && *of == total));
        assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        assert!(seen.iter().any(|(done, _)| *done > 0 && *done < total));
    }
}

#[test]
fn progress_of_verify_never_goes_back_and_ends_at_its_total() {
    let scene = Scene::closed();
    let db = by_hand(&scene.clock).open(scene.old()).unwrap();
    let mut seen = Vec::new();
    db.verify_with(|done, total| seen.push((done, total)))
        .unwrap();
    let (last, total) = *seen.last().unwrap();
    assert!(total > 0 && last == total);
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert!(seen.iter().any(|(done, _)| *done > 0 && *done < total));
}
